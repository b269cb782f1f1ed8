#!/usr/bin/env python3
"""Writes Tests/Fixtures/SolarImage/Instruments: headers of real files, two pieces of them, and where the Earth stood by sunpy.

    make-instrument-fixtures.py OUTPUT [NAME=FILE ...] [limb=FILE] [active-region=FILE]

Each NAME=FILE (a FITS file) is trimmed into OUTPUT/NAME.header, one record of 80 columns a line. The committed ones are
  mdi-1999, mdi-2010   mdi.fd_M_96m_lev182 of 1999-12-11 00:00 and 2010-10-15 00:00 (SOHO/MDI, ESA & NASA)
  smarp                mdi.smarp_cea_96m, TARP 13520, 2010-07-14 (the same)
  hmi-2019             hmi.M_720s, 2019-06-21 06:00 (NASA/SDO and the HMI science team)
limb=FILE cuts limb.fits, 96 x 96 pixels of the western limb, out of a full disk of HMI: the committed one out of hmi.M_720s of 2011-12-17 06:00.
active-region=FILE cuts active-region.fits, 96 x 96 pixels round the strongest of a map, and prints what of it the coarsest cosine coefficients of 4 x 4
pixels hold: the committed one out of hmi.sharp_cea_720s, HARP 1447, of 2012-03-06 14:24 (NASA/SDO and the HMI science team).
"""
import json
import pathlib
import sys
import warnings

import numpy as np
import sunpy
from astropy.io import fits
from astropy.time import Time
from scipy.fft import dctn, idctn
from sunpy.coordinates import sun

warnings.simplefilter("ignore")
out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)

KEPT = """TELESCOP INSTRUME CAMERA CONTENT ORIGIN T_OBS T_REC DATE DATE-OBS CTYPE1 CTYPE2 CUNIT1 CUNIT2 CRPIX1 CRPIX2 CRVAL1 CRVAL2 CDELT1 CDELT2 CROTA2
DSUN_OBS RSUN_REF RSUN_OBS R_SUN CRLN_OBS CRLT_OBS BUNIT QUALITY INTERVAL DPC CADENCE BLDVER18 NOTE1 NOTE2 NOTE3 SINRHOTB CALTBLS BLD_VERS TARPNUM
HCFTID""".split()


def image(path):
    units = fits.open(path)
    return next(unit for unit in units if unit.data is not None and unit.data.ndim == 2)


def kept(header):
    """As text: astropy cannot parse JSOC's unquoted nan."""
    text = header.tostring(sep="", endcard=False, padding=False)
    records = [text[start:start + 80].rstrip() for start in range(0, len(text), 80)]
    return [record for record in records if record[:8].strip() in KEPT and record[8] == "="]


def cut(unit, x, y, name):
    piece = fits.PrimaryHDU(np.asarray(unit.data[y:y + 96, x:x + 96], dtype=np.float32))
    for record in kept(unit.header):
        card = fits.Card.fromstring(record)
        piece.header[card.keyword] = card.value
    piece.header["CRPIX1"] -= x
    piece.header["CRPIX2"] -= y
    piece.writeto(out / name, overwrite=True)
    return piece


def truncated(field, count):
    """The field that the `count` coarsest coefficients of every 4 x 4 block of asinh(B / 100 G) give back."""
    order = sorted(((i * i + j * j, i, j) for i in range(4) for j in range(4)))[:count]
    kept = np.zeros((4, 4))
    for _, i, j in order:
        kept[i, j] = 1
    height, width = field.shape
    blocks = np.arcsinh(field / 100).reshape(height // 4, 4, width // 4, 4).transpose(0, 2, 1, 3)
    result = idctn(dctn(blocks, axes=(2, 3), norm="ortho") * kept, axes=(2, 3), norm="ortho")
    return 100 * np.sinh(result.transpose(0, 2, 1, 3).reshape(height, width))


for item in sys.argv[2:]:
    name, path = item.split("=", 1)
    unit = image(path)
    if name == "active-region":
        x, y = (int(np.clip(centre - 48, 0, extent - 96)) for centre, extent in zip(
            np.unravel_index(np.nanargmax(np.abs(unit.data)), unit.data.shape)[::-1], unit.data.shape[::-1]))
        field = np.asarray(cut(unit, x, y, "active-region.fits").data, dtype=float)
        for count in (4, 8, 10):
            found = truncated(field, count)
            print(count, "coefficients: error", np.sqrt(np.mean((found - field) ** 2)), "G, unsigned flux",
                  np.abs(found).sum() / np.abs(field).sum() - 1)
        continue
    if name != "limb":
        (out / f"{name}.header").write_text("\n".join(kept(unit.header)) + "\n")
        continue
    radius = unit.header["RSUN_OBS"] / unit.header["CDELT1"]
    # The disk is upside down: west is on the left.
    x, y = int(unit.header["CRPIX1"] - radius) - 40, int(unit.header["CRPIX2"]) + 300
    piece = cut(unit, x, y, "limb.fits")
    rows, columns = np.indices(piece.data.shape)
    distance = np.hypot(columns + 1 - piece.header["CRPIX1"], rows + 1 - piece.header["CRPIX2"]) / radius
    print("pixels on the disk", (distance <= 1).sum(), "values beyond", np.isfinite(piece.data[distance > 1]).sum(), "strongest there",
          np.nanmax(np.abs(piece.data[distance > 1])), "on the disk", np.nanmax(np.abs(piece.data[distance <= 1])))

times = ["1991-02-03T04:05:06", "1996-05-01T00:00:00", "2003-10-28T11:10:00", "2009-09-05T18:54:01", "2019-06-21T06:00:00", "2025-01-09T01:34:58"]
earth = [{"time": time, "latitude": float(sun.B0(Time(time)).deg), "longitude": float(sun.L0(Time(time)).deg)} for time in times]
(out / "expected.json").write_text(json.dumps({"sunpy": sunpy.__version__, "earth": earth}, indent=1) + "\n")
