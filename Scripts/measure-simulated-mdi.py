#!/usr/bin/env python3
"""Measures blur, gain and noise of pairs that `sr prepare --simulate mdi` made, with scipy: HR is blurred by Gaussians of all widths, averaged over blocks
and fitted to LR by least squares.

    sr prepare DISKS --simulate mdi --crops-per-image 10 --crop-size 256 --min-mu 0.5 --output pairs
    measure-simulated-mdi.py pairs [--arcsec 3.32 --gain 1.4 --noise 16.2]

Prints what each crop gives, and all of them together, against what was asked for; fails if they are off by more than 2 %.
"""
import argparse
import pathlib
import sys

import numpy as np
from astropy.io import fits
from scipy.ndimage import gaussian_filter
from scipy.optimize import minimize_scalar

parser = argparse.ArgumentParser()
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--arcsec", type=float, default=3.32)
parser.add_argument("--gain", type=float, default=1.4)
parser.add_argument("--noise", type=float, default=16.2)
options = parser.parse_args()

crops = []
for path in sorted(options.folder.glob("*/*.fits")):
    with fits.open(path) as units:
        high, low = units[0].data.astype(float), units["LR"].data.astype(float)
        scale = units[0].header["CDELT1"]
    if np.isfinite(high).all():
        crops.append((path.name, high, low, scale))

# Within four standard deviations of the edge HR's surroundings count.
border = 5


def model(high, width, scale):
    blurred = gaussian_filter(high, width / np.sqrt(8 * np.log(2)) / scale, mode="reflect", truncate=6)
    rows, columns = blurred.shape[0] // 4, blurred.shape[1] // 4
    means = blurred[:rows * 4, :columns * 4].reshape(rows, 4, columns, 4).mean((1, 3))
    return means[border:-border, border:-border].ravel()


def fit(width, chosen):
    """Gain, rms of what is left, and its square sum."""
    x = np.concatenate([model(high, width, scale) for _, high, _, scale in chosen])
    y = np.concatenate([low[border:-border, border:-border].ravel() for _, _, low, _ in chosen])
    gain = (x @ y) / (x @ x)
    rest = y - gain * x
    return gain, np.sqrt((rest @ rest) / (len(rest) - 2)), rest @ rest


def measure(chosen):
    width = minimize_scalar(lambda w: fit(w, chosen)[2], bounds=(1.5, 6), method="bounded", options={"xatol": 1e-3}).x
    return width, *fit(width, chosen)[:2]


for crop in crops:
    print("%-60s %6.3f arcsec, gain %.4f, noise %6.2f G" % (crop[0], *measure([crop])))
width, gain, noise = measure(crops)
print(f"{len(crops)} crops: {width:.3f} arcsec, gain {gain:.4f}, noise {noise:.2f} G")
off = max(abs(width / options.arcsec - 1), abs(gain / options.gain - 1), abs(noise / options.noise - 1))
print(f"off by {100 * off:.2f} % at most")
sys.exit(int(off > 0.02))
