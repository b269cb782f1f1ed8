#!/usr/bin/env python3
"""Writes what the tests of registration, simulated MDI data and active-region catalogues compare with, by scikit-image, scipy and numpy.

    make-registration-fixtures.py OUTPUT [--pairs FOLDER] [--regions FOLDER] [--disks FOLDER]

OUTPUT/registration.json     displacements of synthetic images (sums of Gaussian spots) by skimage.registration.phase_cross_correlation, and
                             comparisons of these images and of the pairs by numpy
OUTPUT/mdi-simulation.json   scipy.ndimage.gaussian_filter, block mean and factor on a pattern with and without NaN

--pairs writes OUTPUT/pair-N-{hmi,mdi}.fits, three pairs of NOAA 11183 of 2011-04-02 20:48, 2011-04-03 04:48 and 06:24 on a common grid of
256 x 256 pixels of 0.5 arcsec (hmi.M_720s, NASA/SDO and the HMI science team; mdi.fd_M_96m, SOHO/MDI, ESA & NASA, interpolated to the grid of
HMI), rounded to 4 G to keep them small.
--regions writes OUTPUT/regions.csv, some rows of a table of the daily positions of NOAA's active regions, and copies the Solar Region Summaries
of 1996-01-06 and 1996-05-13 (USAF and the NOAA Space Weather Prediction Center).
--disks writes OUTPUT/disk-{11112,11113,8790,8788}.fits, parts of the full disks mdi.fd_M_96m_lev182 of 2010-10-15 00:00 and 1999-12-11 00:00 and
17:36 (SOHO/MDI, ESA & NASA) with these regions, off the middle, rounded to 4 G.
"""
import argparse
import json
import math
import pathlib
import warnings

import numpy as np
import scipy
import skimage
from astropy.io import fits
from scipy.ndimage import gaussian_filter
from skimage.registration import phase_cross_correlation

parser = argparse.ArgumentParser()
parser.add_argument("output", type=pathlib.Path)
parser.add_argument("--pairs", type=pathlib.Path)
parser.add_argument("--regions", type=pathlib.Path)
parser.add_argument("--disks", type=pathlib.Path)
options = parser.parse_args()
out = options.output
out.mkdir(parents=True, exist_ok=True)


class Uniform:
    """The generator of the tests."""

    def __init__(self, seed):
        self.state = seed

    def __call__(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 40) / 2**24


def spots(count, width, height, seed):
    """Spots as [x, y, standard deviation, amplitude], spread beyond the borders."""
    uniform = Uniform(seed)
    return [
        [(1.4 * uniform() - 0.2) * width, (1.4 * uniform() - 0.2) * height, 2 + 4 * uniform(), (2 * uniform() - 1) * 1500] for _ in range(count)
    ]


def render(spots, width, height, shift=(0, 0), scale=1, rotation=0):
    """What lies at z in the image that is not moved lies at c + shift + scale e^(i rotation) (z - c); rotation in degrees."""
    y, x = np.mgrid[:height, :width].astype(float)
    centre = complex((width - 1) / 2, (height - 1) / 2)
    z = centre + (x + 1j * y - centre - complex(*shift)) / (scale * np.exp(1j * math.radians(rotation)))
    field = np.zeros((height, width))
    for a, b, deviation, amplitude in spots:
        field += amplitude * np.exp(-((z.real - a) ** 2 + (z.imag - b) ** 2) / (2 * deviation**2))
    return field.astype(np.float32)


def noise(width, height, seed):
    uniform = Uniform(seed)
    return np.array([sum(uniform() for _ in range(12)) - 6 for _ in range(width * height)]).reshape(height, width)


def prepared(image):
    window = lambda count: np.sin(np.pi * (np.arange(count) + 0.5) / count) ** 2
    image = image.astype(float)
    return np.nan_to_num(image - np.nanmean(image)) * np.outer(window(image.shape[0]), window(image.shape[1]))


def displacement(moving, reference):
    shift, _, _ = phase_cross_correlation(prepared(reference), prepared(moving), upsample_factor=100, normalization=None)
    return [float(-shift[1]), float(-shift[0])]


def comparison(moving, reference):
    x, y = reference.astype(float).ravel(), moving.astype(float).ravel()
    slope, intercept = np.polyfit(x, y, 1)
    return {
        "correlation": float(np.corrcoef(x, y)[0, 1]), "slopeThroughOrigin": float((x * y).sum() / (x * x).sum()), "slope": float(slope),
        "intercept": float(intercept),
    }


def block_mean(image, factor):
    height, width = (size // factor * factor for size in image.shape)
    blocks = image[:height, :width].reshape(height // factor, factor, width // factor, factor)
    return np.nanmean(blocks, axis=(1, 3))


width, height, seed = 192, 160, 20110402
placed = spots(150, width, height, seed)
still = render(placed, width, height)
cases = []
for deviation, case in [
    (0, dict(shift=(0, 0), scale=1, rotation=0)), (0, dict(shift=(0.37, -1.21), scale=1, rotation=0)),
    (0, dict(shift=(-7.43, 11.68), scale=1, rotation=0)), (0, dict(shift=(0.37, -1.21), scale=1.003, rotation=0)),
    (0, dict(shift=(-2.5, 0.25), scale=0.994, rotation=0.4)), (60, dict(shift=(0.37, -1.21), scale=1, rotation=0)),
    (60, dict(shift=(0.37, -1.21), scale=1.003, rotation=-0.2)),
]:
    moving = (render(placed, width, height, **case) + deviation * noise(width, height, seed=7)).astype(np.float32)
    cases.append(dict(case, noise=deviation, skimage=displacement(moving, still), comparison=comparison(moving, still)))
result = dict(
    versions=f"numpy {np.__version__}, scipy {scipy.__version__}, scikit-image {skimage.__version__}", width=width, height=height, spots=placed,
    cases=cases, pairs=[])

if options.pairs:
    times = ["20110402_204800", "20110403_044800", "20110403_062400"]
    for number, time in enumerate(times, 1):
        images = []
        for kind, name in [("hmi", f"hmi_M-720s_{time}_AR11183.fits"), ("mdi", f"mdi_fd-M-96m_{time}_AR11183_on-hmi-grid.fits")]:
            with fits.open(options.pairs / name) as units:
                data = next(unit.data for unit in units if unit.data is not None)
            stored = np.round(data / 4).astype(np.int16)
            unit = fits.CompImageHDU(stored, compression_type="RICE_1", tile_shape=(16, 256))
            unit.header["BUNIT"] = "Gauss"
            unit.header["TELESCOP"] = "SDO/HMI" if kind == "hmi" else "SOHO/MDI"
            unit.header["T_OBS"] = f"{time[:4]}.{time[4:6]}.{time[6:8]}_{time[9:11]}:{time[11:13]}:{time[13:]}_TAI"
            unit.header["HISTORY"] = "NASA/SDO and the HMI science team" if kind == "hmi" else "SOHO/MDI (ESA & NASA), on the grid of HMI"
            path = out / f"pair-{number}-{kind}.fits"
            fits.HDUList([fits.PrimaryHDU(), unit]).writeto(path, overwrite=True)
            # astropy drops the scaling of integers that it is given already scaled, so the card is put in the place of a blank one.
            whole = path.read_bytes()
            end = whole.index(b"END".ljust(80), 2880)
            card = f"{'BSCALE':<8}= {4.0:>20}".ljust(80).encode() + b"END".ljust(80)
            assert whole[end + 80:end + 160].isspace()
            path.write_bytes(whole[:end] + card + whole[end + 160:])
            with fits.open(path) as units:
                image = units[1].data
            assert np.array_equal(image, stored * 4.0)
            images.append(image)
        hmi, mdi = images
        result["pairs"].append(
            dict(
                full=comparison(mdi, hmi), binned=comparison(block_mean(mdi.astype(float), 4), block_mean(hmi.astype(float), 4)),
                skimage=displacement(mdi, hmi)))
(out / "registration.json").write_text(json.dumps(result) + "\n")

# --- What MDI would have seen -----------------------------------------------------------------------------------------------------------
width, height = 50, 43
y, x = np.mgrid[:height, :width]
pattern = ((x * 37 + y * 101 + x * y * 7) % 2001 - 1000).astype(float)
holed = pattern.copy()
holed[np.hypot(x - 20, y - 15) > 24] = np.nan
holed[20:23, 10:30] = np.nan
simulated = []
for name, image in [("whole", pattern), ("holed", holed)]:
    for width_in_arcsec, pixel in [(3.32, 0.5), (2.0, 0.504)]:
        deviation = width_in_arcsec / math.sqrt(8 * math.log(2)) / pixel
        known = np.isfinite(image)
        blur = lambda field: gaussian_filter(field, deviation, mode="reflect", truncate=9)
        blurred = np.where(known, blur(np.where(known, image, 0)) / blur(known.astype(float)), np.nan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # blocks of NaN alone
            values = block_mean(blurred, 4) * 1.4
        simulated.append(
            dict(
                name=name, blurWidth=width_in_arcsec, arcsecPerPixel=pixel,
                values=[None if math.isnan(value) else value for value in values.ravel().tolist()]))
(out / "mdi-simulation.json").write_text(json.dumps(dict(versions=result["versions"], cases=simulated)) + "\n")

# --- Active regions ---------------------------------------------------------------------------------------------------------------------
if options.regions:
    rows = (options.regions / "noaa_active_regions_daily_1996-2017.csv").read_bytes().splitlines(keepends=True)
    dates = ("1999-12-11", "2002-06-15", "2010-10-14", "2010-10-15", "2010-10-16", "2013-03-18", "2013-03-19")
    (out / "regions.csv").write_bytes(b"".join(row for row in rows if row.decode().startswith(("date",) + dates)))
    for name in ("19960106SRS.txt", "19960513SRS.txt"):
        (out / name).write_bytes((options.regions / name).read_bytes())

# --- Parts of full disks ----------------------------------------------------------------------------------------------------------------
for number, time, x, y, width, height in [
    (11112, "20101015_000000", 440, 248, 160, 148), (11113, "20101015_000000", 24, 556, 160, 148), (8790, "19991211_000000", 484, 548, 160, 148),
    (8788, "19991211_173600", 572, 548, 288, 148),
] if options.disks else []:
    with fits.open(options.disks / f"mdi_fd-M-96m-lev182_{time}.fits") as units:
        unit = next(unit for unit in units if unit.data is not None)
        field, whole = unit.data[y:y + height, x:x + width], unit.header
    blank = -32768
    stored = np.where(np.isfinite(field), np.round(field / 4), blank).astype(np.int16)
    unit = fits.CompImageHDU(stored, compression_type="RICE_1", tile_shape=(16, width))
    for keyword in """T_OBS T_REC DATE-OBS TELESCOP CAMERA CONTENT CTYPE1 CTYPE2 CUNIT1 CUNIT2 CRVAL1 CRVAL2 CDELT1 CDELT2 CROTA2 DSUN_OBS RSUN_REF
            RSUN_OBS CRLN_OBS CRLT_OBS QUALITY BUNIT""".split():
        if keyword in whole:
            unit.header[keyword] = whole[keyword]
    unit.header["CRPIX1"], unit.header["CRPIX2"] = whole["CRPIX1"] - x, whole["CRPIX2"] - y
    unit.header["_BLANK"], unit.header["_BSCALE"] = blank, 4.0  # which astropy would drop by their right names
    unit.header["HISTORY"] = f"SOHO/MDI (ESA & NASA), columns {x}..., rows {y}... of mdi.fd_M_96m_lev182 {time}"
    path = out / f"disk-{number}.fits"
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(path, overwrite=True)
    content = path.read_bytes()
    assert content.count(b"_BLANK  = ") == content.count(b"_BSCALE = ") == 1
    path.write_bytes(content.replace(b"_BLANK  = ", b"BLANK   = ").replace(b"_BSCALE = ", b"BSCALE  = "))
    with fits.open(path) as units:
        read = units[1].data
        assert np.array_equal(np.isnan(read), np.isnan(field)) and np.nanmax(np.abs(read - field)) <= 2.01, path
