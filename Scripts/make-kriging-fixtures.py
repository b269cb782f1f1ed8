#!/usr/bin/env python3
"""Writes what the tests of kriging and consistency compare with, by numpy (kriging.py beside this file).

    make-kriging-fixtures.py OUTPUT

OUTPUT/kriging.json   estimates from small fields of low resolution with and without blur, noise and NaN, results held to them, and a measured spectrum
"""
import json
import pathlib
import sys

import numpy as np

from kriging import amplitude, block_mean, consistent, estimate, gaussian, local_estimate, observed, replicated, spectrum

# FieldSpectrum.activeRegions, by kriging.py.
ACTIVE_REGIONS = [
    2.249e7, 5.445e7, 1.106e8, 6.165e7, 3.319e7, 3.541e7, 3.954e7, 2.978e7, 1.682e7, 1.243e7, 6.86e6, 3.99e6, 2.539e6, 1.712e6, 1.152e6, 7.258e5,
    4.572e5, 3.238e5, 1.88e5, 1.187e5, 6.921e4, 3.981e4, 2.551e4, 1.541e4, 8898, 4733, 2261, 905.2, 321.5, 93.23, 20.53, 4.043, 1.224, 0.2067,
]


def rows(field):
    return [[None if np.isnan(v) else round(float(v), 5) for v in row] for row in field]


def main(out):
    generator = np.random.default_rng(8)
    y, x = np.mgrid[0:24, 0:36] + 0.5
    truth = sum(
        a * np.exp(-((x - c) ** 2 + (y - r) ** 2) / (2 * w * w)) for a, c, r, w in [(900, 9, 8, 3), (-1200, 20, 13, 4), (250, 31, 3, 1.5)])
    truth = truth + 15 * generator.standard_normal(truth.shape)
    table, width, noise = np.array(ACTIVE_REGIONS), 6.6, 11.6
    transfer = gaussian(width)
    low = np.round(block_mean(truth), 3)
    seen = np.round(observed(truth, transfer) + noise * generator.standard_normal(low.shape), 3)
    holed = seen.copy()
    holed[2:4, 5] = holed[0, 0] = np.nan
    prediction = np.round(0.9 * truth + 20 * generator.standard_normal(truth.shape) + 5, 3)
    beside_holes = np.where(np.isnan(replicated(holed)), np.nan, 1)
    fixture = {
        "width": width,
        "noise": noise,
        "low": rows(low),
        "seen": rows(seen),
        "holed": rows(holed),
        "prediction": rows(prediction),
        "exact": rows(estimate(low, table)),
        "blurred": rows(estimate(seen, table, transfer, 0)),
        "noisy": rows(estimate(seen, table, transfer, noise**2)),
        "strengths": rows(amplitude(seen, table, noise**2)),
        "local": rows(local_estimate(seen, table, transfer, noise**2)),
        "localHoled": rows(local_estimate(holed, table, transfer, noise**2) * beside_holes),
        "consistent": rows(consistent(prediction, low, table)),
        "consistentBySeen": rows(consistent(prediction, seen, table, transfer, noise**2)),
        "spectrum": [float(f"{v:.9g}") for v in spectrum([truth, truth[:17, :30], low])],
        "truth": rows(truth),
    }
    (out / "kriging.json").write_text(json.dumps(fixture, separators=(",", ":")).replace('],"', '],\n"') + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]))
