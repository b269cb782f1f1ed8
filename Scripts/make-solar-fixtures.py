#!/usr/bin/env python3
"""Writes Tests/Fixtures/SolarImage: small FITS files, trimmed real headers, and values computed by astropy, sunpy and numpy.

    make-solar-fixtures.py OUTPUT [NAME=FILE ...]

Each NAME=FILE trims the header of a real FITS file into OUTPUT/NAME.header, one record of 80 columns a line; the committed ones are
  sharp.header          hmi.sharp_cea_720s, HARP 1449, 2012-03-07 (NASA/SDO and the HMI science team)
  sharp-2025.header     hmi.sharp_cea_720s, HARP 13561, 2025-07-27 (the same)
  mdi.header            mdi.fd_M_96m_lev182, 2010-10-15 (SOHO/MDI, ESA & NASA)
  smarp.header          mdi.smarp_cea_96m, TARP 13520, 2010-07-14 (the same)
  mdi-rebinned.header   mdi.fd_M_96m_01d of 2009-01-31, rebinned to 128 x 128 pixels by sunpy's test data (the same)
"""
import gzip
import io
import json
import pathlib
import sys
import warnings

import astropy
import astropy.units as u
import numpy as np
import scipy.stats
import sunpy
import sunpy.map
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS

warnings.simplefilter("ignore")
out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)


def pattern(width, height):
    """Integers from -1000 to 1000 without a period that fits the image; the tests compute the same."""
    y, x = np.mgrid[:height, :width]
    return (x * 37 + y * 101 + x * y * 7) % 2001 - 1000


def save(name, *units):
    fits.HDUList(list(units)).writeto(out / name, overwrite=True)


# --- Trimmed real headers ---------------------------------------------------------------------------------------------------------------
KEPT = """SIMPLE XTENSION BITPIX NAXIS NAXIS1 NAXIS2 ZIMAGE ZBITPIX ZNAXIS ZNAXIS1 ZNAXIS2 TTYPE1 ZCMPTYPE T_OBS T_REC DATE-OBS DATE CTYPE1 CTYPE2
CRPIX1 CRPIX2 CRVAL1 CRVAL2 CDELT1 CDELT2 CUNIT1 CUNIT2 CROTA2 WCSNAME IMCRPIX1 IMCRPIX2 DSUN_OBS DSUN_REF RSUN_REF RSUN_OBS CRLN_OBS CRLT_OBS R_SUN X0 Y0
CROP_RAD TELESCOP INSTRUME CAMERA CONTENT QUALITY BUNIT _BUNIT HARPNUM TARPNUM NOAA_AR NOAA_ARS DATAMIN DATAMAX _DATAMIN _DATAMAX DATAMEDN DATAMEAN DATARMS DATASKEW
DATAKURT DATAVALS MISSVALS TOT_FLUX AVG_FLUX MEAN_FLD USFLUX GWILL INVCODEV LICENSE BLD_VERS BSCALE BLANK HEADSUM CHECKSUM DATASUM OBS_DIST OBS_R0
CENTER_X CENTER_Y MDI_X0 XCEN YCEN FD_SCALE IM_SCALE XSCALE FNDLMBXC FNDLMBMI DPC_CROP DATA_RMS NPIXFLUX HISTORY""".split()
for item in sys.argv[2:]:
    name, path = item.split("=", 1)
    with fits.open(path, disable_image_compression=True) as units:
        unit = next(h for h in units if h.header["NAXIS"] == 2)
        text = unit.header.tostring(sep="", endcard=False, padding=False)
    records, keep = [], False
    for start in range(0, len(text), 80):
        record = text[start:start + 80]
        keep = record[:8].strip() in KEPT or (keep and record.startswith("CONTINUE"))
        if keep:
            records.append(record.rstrip())
    (out / f"{name}.header").write_text("\n".join(records) + "\n")

# --- Files to read ----------------------------------------------------------------------------------------------------------------------
raw = pattern(40, 30).astype(np.int32)
raw[(np.add.outer(np.arange(30), np.arange(40)) % 17) == 0] = -2147483648
rice = fits.CompImageHDU(raw, compression_type="RICE_1", name="MAGNETOGRAM")
rice.header["TELESCOP"] = "SDO/HMI"
save("rice-int32-blank.fits", fits.PrimaryHDU(), rice)
# astropy drops the scaling of integers that it is given already scaled, so these two cards are put in the place of blank ones.
whole = (out / "rice-int32-blank.fits").read_bytes()
end = whole.index(b"END".ljust(80), 2880)
cards = b"".join(f"{keyword:<8}= {value:>20}".ljust(80).encode() for keyword, value in [("BSCALE", 0.1), ("BLANK", -2147483648)]) + b"END".ljust(80)
assert whole[end + 80:end + 240].isspace()
(out / "rice-int32-blank.fits").write_bytes(whole[:end] + cards + whole[end + 240:])
with fits.open(out / "rice-int32-blank.fits") as units:
    assert np.allclose(units[1].data, np.where(raw == -2147483648, np.nan, raw * 0.1), equal_nan=True)


def scaled(name, values, **keywords):
    """A primary image of integers as they are stored, with its scaling."""
    unit = fits.PrimaryHDU(values)
    for keyword, value in keywords.items():
        unit.header[keyword] = value
    buffer = io.BytesIO()
    fits.HDUList([unit]).writeto(buffer)
    (out / name).write_bytes(buffer.getvalue())


short = pattern(20, 12).astype(np.int16)
short[0, 0] = -32768
# Scaling keywords are set after the data, so that astropy leaves the data alone; verified below.
for name, keywords in {
    "int16-fill.fits": dict(BSCALE=0.05, BZERO=0.0),
    "int16-unsigned.fits": dict(BSCALE=1.0, BZERO=32768.0),
    "int16-blank.fits": dict(BSCALE=0.05, BLANK=-1000),
}.items():
    scaled(name, short, **keywords)
    stored = (out / name).read_bytes()[2880:2880 + short.size * 2]
    assert stored == short.astype(">i2").tobytes(), name

double = pattern(15, 9) / 7.0
double[3, 4] = np.nan
double[5, 6] = np.inf
save("float64.fits", fits.PrimaryHDU(double))
with gzip.GzipFile(out / "float64.fits.gz", "wb", mtime=0) as file:
    file.write((out / "float64.fits").read_bytes())
table = fits.BinTableHDU.from_columns([fits.Column("TIME", "D", array=np.arange(3.0))])
save("image-after-table.fits", fits.PrimaryHDU(), table, fits.ImageHDU(pattern(6, 5).astype(np.float32), name="FIELD"), fits.ImageHDU(np.ones((5, 6), np.float32), name="MEAN"))
save("table-only.fits", fits.PrimaryHDU(), table)
save("headers-only.fits", fits.PrimaryHDU())
save("cube.fits", fits.PrimaryHDU(np.zeros((3, 5, 4), np.float32)))
save("degenerate-axis.fits", fits.PrimaryHDU(pattern(8, 6).astype(np.float32)[None]))
save("all-nan.fits", fits.PrimaryHDU(np.full((4, 4), np.nan, np.float32)))
whole = (out / "rice-int32-blank.fits").read_bytes()
(out / "truncated-rice.fits").write_bytes(whole[:len(whole) - 2880])
whole = (out / "float64.fits").read_bytes()
(out / "truncated-plain.fits").write_bytes(whole[:2880 + 500])


def enlarged(content, keyword, old, new):
    """The file with another number behind a keyword."""
    before, after = (f"{keyword:<8}= {number:>20}".encode() for number in (old, new))
    assert content.count(before) == 1, keyword
    return content.replace(before, after)


(out / "absurd-axes.fits").write_bytes(enlarged(enlarged(whole, "NAXIS1", 15, 2_000_000_000), "NAXIS2", 9, 2_000_000_000))
# A compressed image whose header claims more pixels than its few bytes can stand for.
whole = (out / "rice-int32-blank.fits").read_bytes()
(out / "absurd-compressed.fits").write_bytes(enlarged(enlarged(whole, "ZNAXIS1", 40, 400_000_000), "ZTILE1", 40, 400_000_000))
loose = """SIMPLE  =                    T  / FITS STANDARD
BITPIX  =                   16  / FITS BITS/PIXEL
NAXIS   =                    2  / NUMBER OF AXES
NAXIS1  =                    4  /
NAXIS2  =                    3  /
BSCALE  =             0.050000  / REAL = DATA*BSCALE + BZERO
BZERO   =           0.000000E0  /
BUNIT   =                gauss
TELESCOP= '150 ft'
REMARK1 = WINDY BAD SEEIN
USFLUX  = 5.721573e+22
END""".split("\n")
data = np.arange(12, dtype=">i2")
data[0] = -32768
(out / "loose-header.fits").write_bytes("".join(line.ljust(80) for line in loose).ljust(2880).encode() + data.tobytes().ljust(2880, b"\0"))

# --- Expected values --------------------------------------------------------------------------------------------------------------------
expected = {"versions": {"astropy": astropy.__version__, "sunpy": sunpy.__version__, "numpy": np.__version__}}

times = ["2012.03.07_08:23:56_TAI", "2010.10.15_00:03:30.000_TAI", "2009-01-31T08:03:02.462Z", "2010-10-15T00:00:26.000", "1999.12.10_23:59:30_TAI",
         "2016-12-31T23:59:60.5", "2017.01.01_00:00:36.500_TAI", "2017.01.01_00:00:37_TAI", "2000-02-29T12:00:00", "2025.07.27_15:00:07.664_TAI",
         "1996-01-06T00:00:00", "2011.04.02_20:48:00_UTC"]
expected["times"] = []
for text in times:
    scale = "tai" if text.endswith("TAI") else "utc"
    bare = text.removesuffix("_TAI").removesuffix("_UTC").removesuffix("Z").replace("_", "T")
    time = Time(bare.replace(".", "-", 2) if bare[4] == "." else bare, scale=scale)
    epoch = Time("1970-01-01T00:00:00", scale="tai")
    expected["times"].append({"text": text, "utc": time.utc.isot + "Z", "taiSeconds": float((time.tai - epoch).to_value("s"))})

base = {"CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "CUNIT1": "arcsec", "CUNIT2": "arcsec", "CRVAL1": 0.0, "CRVAL2": 0.0, "DSUN_OBS": 1.51e11,
        "RSUN_REF": 6.96e8, "RSUN_OBS": float(np.arcsin(6.96e8 / 1.51e11) * 180 * 3600 / np.pi), "CRLN_OBS": 0.0, "CRLT_OBS": 0.0, "HGLN_OBS": 0.0, "HGLT_OBS": 0.0, "DATE-OBS": "2012-03-07T08:23:22",
        "TELESCOP": "SDO/HMI", "INSTRUME": "HMI_SIDE1", "NAXIS": 2, "NAXIS1": 48, "NAXIS2": 32}
angle = np.radians(12.5)
grids = {
    "rotated by CROTA2": base | {"CRPIX1": 24.75, "CRPIX2": 15.25, "CDELT1": 50.4, "CDELT2": 50.4, "CROTA2": 179.93},
    "PC matrix and offset": base | {"CRPIX1": 20.125, "CRPIX2": 17.375, "CDELT1": 61.0, "CDELT2": 59.0, "CRVAL1": 33.0, "CRVAL2": -71.5,
                                    "PC1_1": np.cos(angle), "PC1_2": -np.sin(angle) * 59 / 61, "PC2_1": np.sin(angle) * 61 / 59, "PC2_2": np.cos(angle)},
    "CD matrix": base | {"CRPIX1": 24.5, "CRPIX2": 16.5, "CD1_1": 60 * np.cos(angle), "CD1_2": -60 * np.sin(angle), "CD2_1": 60 * np.sin(angle), "CD2_2": 60 * np.cos(angle)},
    "degrees": base | {"CRPIX1": 24.5, "CRPIX2": 16.5, "CDELT1": 0.0155, "CDELT2": 0.0155, "CUNIT1": "deg", "CUNIT2": "deg"},
}
expected["grids"] = []
for name, header in grids.items():
    header = {key: (float(value) if isinstance(value, (float, np.floating)) else value) for key, value in header.items()}
    image = sunpy.map.Map(pattern(48, 32).astype(float), dict(header))
    wcs = WCS(fits.Header(header))
    points = [[-0.5, -0.5], [47.5, -0.5], [-0.5, 31.5], [47.5, 31.5], [10.25, 20.75]]

    def plane(wcs, points):
        """Intermediate world coordinates in arcsec (wcslib keeps degrees); with pixels counted from 0, astropy's p2s would shift them too."""
        return (wcs.wcs.p2s(np.array(points) + 1, 1)["imgcrd"] * 3600).tolist()

    centre = image.wcs.world_to_pixel(SkyCoord(0 * u.arcsec, 0 * u.arcsec, frame=image.coordinate_frame))
    row = {"name": name, "header": header, "points": points, "plane": plane(wcs, points), "diskCentre": [float(c) for c in centre],
           "pixelArea": float(np.abs(np.linalg.det(wcs.pixel_scale_matrix)) * np.radians(1) ** 2 * (1.51e13) ** 2), "changed": {}}
    for change, changed in {
        "refine 4": image.resample([48 * 4, 32 * 4] * u.pix, method="nearest"),
        "bin 4": image.superpixel([4, 4] * u.pix),
        "crop 8 4": image.submap([8, 4] * u.pix, top_right=[39, 27] * u.pix),
    }.items():
        # The outer corners of the changed image as sunpy and astropy see them.
        width, height = (float(d.value) for d in changed.dimensions)
        corners = [[-0.5, -0.5], [width - 0.5, -0.5], [-0.5, height - 0.5], [width - 0.5, height - 0.5]]
        row["changed"][change] = {"corners": corners, "plane": plane(changed.wcs, corners)}
    expected["grids"].append(row)

expected["mapPixelArea"] = float((0.03 * u.deg).to_value(u.rad) ** 2 * (6.96e8 * u.m).to_value(u.cm) ** 2)

image = pattern(24, 18).astype(float)
image[2, 3] = image[17, 20] = np.nan
finite = image[np.isfinite(image)]
expected["statistics"] = {
    "DATAMIN": finite.min(), "DATAMAX": finite.max(), "DATAMEAN": finite.mean(), "DATARMS": finite.std(ddof=1), "DATASKEW": float(scipy.stats.skew(finite)),
    "DATAKURT": float(scipy.stats.kurtosis(finite)), "TOT_FLUX": np.abs(finite).sum(), "AVG_FLUX": np.abs(finite).mean(), "MEAN_FLD": finite.mean(),
    "DATAVALS": finite.size}

expected["transforms"] = []
for width, height in [(12, 10), (9, 7), (1, 5), (8, 1)]:
    values = np.fft.rfft2(pattern(width, height))
    expected["transforms"].append({"width": width, "height": height, "coefficients": np.stack([values.real, values.imag], -1).ravel().tolist()})

expected["spectra"] = []
for width, height in [(32, 24), (17, 21)]:
    image = pattern(width, height).astype(np.float32).astype(float)
    other = np.roll(image, 1, axis=1)
    other[3, 5] = np.nan
    def windowed(field):
        window = np.outer(np.sin(np.pi * (np.arange(height) + 0.5) / height) ** 2, np.sin(np.pi * (np.arange(width) + 0.5) / width) ** 2)
        field = field - np.nanmean(field)
        return np.fft.fft2(np.where(np.isnan(field), 0, field) * window), window
    (first, window), (second, _) = windowed(image), windowed(other)
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(width), np.fft.fftfreq(height)))
    scale = 1 / (width * height * (window ** 2).sum())
    power = np.abs(first) ** 2 * scale
    bins = 6
    rings = [(radius > 0) & (radius <= 0.5) & (np.minimum((radius * 2 * bins).astype(int), bins - 1) == b) for b in range(bins)]
    band = (radius > 0.125) & (radius <= 0.25)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(2 * width), np.fft.fftfreq(2 * height)))
    gain = np.where(frequency == 0, 0, 1 / np.sqrt(1 + (0.25 / np.maximum(frequency, 1e-300)) ** 4))
    mirrored = np.block([[image, image[:, ::-1]], [image[::-1], image[::-1, ::-1]]])
    high = np.fft.ifft2(np.fft.fft2(mirrored) * gain).real[:height, :width]
    expected["spectra"].append({
        "width": width, "height": height, "beyondLow": power[radius > 0.125].sum(), "beyondHigh": power[radius > 0.25].sum(), "band": power[band].sum(),
        "correlation": float((first * second.conj()).real[band].sum() / np.sqrt((np.abs(first) ** 2)[band].sum() * (np.abs(second) ** 2)[band].sum())),
        "radial": [float(power[ring].mean()) for ring in rings], "amplitude": np.fft.fftshift(np.abs(first)).ravel().tolist() if width < 20 else [],
        "highPass": high.ravel().tolist() if width < 20 else []})


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.item() if isinstance(value, np.generic) else value


(out / "expected.json").write_text(json.dumps(plain(expected), indent=None, separators=(",", ":")) + "\n")
