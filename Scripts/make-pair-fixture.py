#!/usr/bin/env python3
"""Cuts a piece of a real pair for tests: 96 x 96 pixels of HMI in the primary unit, 24 x 24 means of MDI in the extension LR.

    make-pair-fixture.py PAIR OUTPUT

PAIR is a file that `sr prepare HMI --pairs MDI --registered --crop-size 256` wrote. Credit: NASA/SDO and the HMI science team; SOHO/MDI, ESA & NASA.
"""
import sys

import numpy as np
from astropy.io import fits

X, Y, SIDE = 80, 68, 96

source = fits.open(sys.argv[1])
field, low = source[0], source["LR"]
high = fits.PrimaryHDU(np.asarray(field.data[Y : Y + SIDE, X : X + SIDE], "f4"))
for keyword, value in [("BUNIT", "Gauss"), ("TELESCOP", "SDO/HMI"), ("T_OBS", "2011.04.02_20:48:00_TAI")]:
    high.header[keyword] = value
high.header["COMMENT"] = f"NOAA 11183, {SIDE} x {SIDE} pixels from ({X}, {Y}); NASA/SDO and the HMI science team"
means = fits.ImageHDU(np.asarray(low.data[Y // 4 : (Y + SIDE) // 4, X // 4 : (X + SIDE) // 4], "f4"), name="LR")
means.header["MDIFACT"] = low.header["MDIFACT"]
means.header["BUNIT"] = "Gauss"
means.header["COMMENT"] = "4 x 4 means of MDI on HMI's grid; SOHO/MDI, ESA & NASA"
fits.HDUList([high, means]).writeto(sys.argv[2], overwrite=True)
