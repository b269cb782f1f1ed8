#!/usr/bin/env python3
"""Writes Tests/Fixtures/SolarImage/Tiles: one small image, tile-compressed by astropy in each way of the FITS Standard.

    make-tile-fixtures.py OUTPUT

The image is the pattern of make-solar-fixtures.py, 33 x 26 pixels in tiles of 12 x 10, so that those at the edges are smaller.
"""
import pathlib
import sys

import numpy as np
from astropy.io import fits

out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)
y, x = np.mgrid[:26, :33]
pattern = (x * 37 + y * 101 + x * y * 7) % 2001 - 1000
with_gap = pattern.astype(np.float32)
with_gap[3:6, 4:9] = np.nan

for name, values, options in [
    ("rice-byte", (pattern % 251).astype(np.uint8), dict(compression_type="RICE_1")),
    ("rice-short", pattern.astype(np.int16), dict(compression_type="RICE_1")),
    ("rice-int", pattern.astype(np.int32), dict(compression_type="RICE_1")),
    ("rice-float", with_gap, dict(compression_type="RICE_1", quantize_level=-0.5, quantize_method=2, dither_seed=7)),
    # Tiles without noise, which is what the step of the integers is taken from, are kept as they are, in a column of their own.
    ("rice-lossless", np.where(np.isnan(with_gap), with_gap, 5.5).astype(np.float32), dict(compression_type="RICE_1")),
    ("gzip-1-int", pattern.astype(np.int32), dict(compression_type="GZIP_1")),
    ("gzip-2-short", pattern.astype(np.int16), dict(compression_type="GZIP_2")),
    ("gzip-2-double", pattern.astype(np.float64), dict(compression_type="GZIP_2", quantize_level=0)),
    ("hcompress-short", pattern.astype(np.int16), dict(compression_type="HCOMPRESS_1")),
    ("hcompress-float", pattern.astype(np.float32), dict(compression_type="HCOMPRESS_1", quantize_level=-0.5, quantize_method=1, dither_seed=7)),
    ("plio", pattern.clip(0).astype(np.int16), dict(compression_type="PLIO_1")),
]:
    unit = fits.CompImageHDU(values, tile_shape=(10, 12), **options)
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(out / f"{name}.fits", overwrite=True, checksum=True)
    read = fits.getdata(out / f"{name}.fits")
    assert np.allclose(read, values, atol=0.5, rtol=0, equal_nan=True), name
