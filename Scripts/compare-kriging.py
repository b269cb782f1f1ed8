#!/usr/bin/env python3
"""Compares the baseline kriging of `sr evaluate` with numpy (kriging.py beside this file) on the same maps.

    compare-kriging.py SR MAPS TRAINING

SR is the program, MAPS a folder of high-resolution maps (FITS), TRAINING the folder that FieldSpectrum.activeRegions was measured on. Maps are trimmed to
multiples of 32 pixels and degraded by block means; PSNR is of fields clipped to 3000 G with a range of 6000 G, flux error the deviation of the unsigned
flux in %. Fails if they differ by more than 0.05 dB or 0.03 %, or block means by more than 1e-3 G from the input.
"""
import csv
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from kriging import block_mean, estimate, files, flux_error, psnr, read, spectrum, trimmed

program, maps, training = sys.argv[1:]
table = spectrum([read(f) for f in files(training)])
with tempfile.TemporaryDirectory() as folder:
    subprocess.run(
        [program, "evaluate", maps, "--metrics", "psnr,flux,field", "--samples", "1", "--steps", "1", "--output", folder, "--quiet"], check=True,
        stdout=subprocess.DEVNULL)
    with open(pathlib.Path(folder) / "per-image.csv") as lines:
        scores = {row["file"]: row for row in csv.DictReader(lines) if row["model"] == "kriging"}

print(f"{'map':<64} {'PSNR':>8} {'numpy':>8} {'flux %':>8} {'numpy':>8} {'means G':>9} {'numpy':>9}")
results = []
for file in files(maps):
    truth = trimmed(np.nan_to_num(read(file)))
    low = block_mean(truth)
    field = estimate(low, table)
    own = psnr(field, truth), flux_error(field, truth), abs(block_mean(field) - low).max()
    row = scores[file.name]
    theirs = float(row["psnr"]), float(row["unsigned_flux_error_signed"]), float(row["block_mean_deviation"])
    print(f"{file.name:<64} {theirs[0]:8.3f} {own[0]:8.3f} {theirs[1]:8.3f} {own[1]:8.3f} {theirs[2]:9.1e} {own[2]:9.1e}")
    results.append((own, theirs))
results = np.array(results)
(psnr_own, flux_own, _), (psnr_theirs, flux_theirs, _) = np.abs(results).mean(0)
print(f"{'mean, flux error by modulus':<64} {psnr_theirs:8.3f} {psnr_own:8.3f} {flux_theirs:8.3f} {flux_own:8.3f}")
difference = np.abs(results[:, 0] - results[:, 1]).max(0)
if difference[0] > 0.05 or difference[1] > 0.03 or results[:, :, 2].max() > 1e-3:
    sys.exit(f"they differ by {difference[0]:.3f} dB, {difference[1]:.3f} % of the flux, {results[:, :, 2].max():.1e} G of block means")
