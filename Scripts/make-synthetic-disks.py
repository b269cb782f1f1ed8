#!/usr/bin/env python3
"""Writes full disks such as JSOC delivers, with invented fields, to time or to check what reads them. Needs numpy and astropy.

    make-synthetic-disks.py OUTPUT [--instrument hmi|mdi] [--count 100] [--start 2013-05-01T00:00:00] [--cadence MINUTES] [--regions 6] [--seed 1]
                            [--rotation DEGREES] [--dipoles TIME]

Files are tile-compressed by Rice, HMI's of 4096 x 4096 pixels in steps of 0.1 G (about 13 MB), MDI's of 1024 x 1024 in steps of 0.01 G (1.5 MB).
Times are in TAI, `--cadence` minutes apart. Active regions come, grow and go, and rotate with the Sun; with one seed they are the same for both
instruments, so that HMI and MDI files of close times make pairs. Network and noise are one periodic texture, which every file gets rolled, mirrored
and with a polarity of its own: no two files are alike, but the quiet Sun does not persist. The geometry is Thompson's (2006, A&A 449, 791): a sphere
seen from a finite distance, HPLN-TAN.

--dipoles gives known fields instead, with neither network nor noise, and not foreshortened, so that all observers see one field: dipoles of round
spots, the positive one in the west, which stand at TIME (TAI) where the list below says, and rotate from there. OUTPUT/dipoles.csv says where each
spot stands in each file.
"""
import argparse
import io
import pathlib
import time
import warnings
import zlib

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.time import Time

warnings.simplefilter("ignore")
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("output", type=pathlib.Path)
parser.add_argument("--instrument", choices=["hmi", "mdi"], default="hmi")
parser.add_argument("--count", type=int, default=100)
parser.add_argument("--start", default="2013-05-01T00:00:00", help="middle of the first exposure, TAI")
parser.add_argument("--cadence", type=float, help="minutes between files; by default 60 for HMI, 96 for MDI")
parser.add_argument("--regions", type=float, default=6, help="active regions on the disk at a time, on average")
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--rotation", type=float, help="CROTA2 in degrees; by default 179.93 for HMI, 0 for MDI")
parser.add_argument("--dipoles", metavar="TIME", help="only dipoles, which stand at known places then")
options = parser.parse_args()

IS_HMI = options.instrument == "hmi"
CADENCE = options.cadence or (60 if IS_HMI else 96)
if CADENCE < (12 if IS_HMI else 96):
    parser.error(f"the series has one image in {12 if IS_HMI else 96} minutes")
SIDE, SCALE, STEP, NOISE = (4096, 0.504276, 0.1, 6.0) if IS_HMI else (1024, 1.986008, 0.01, 16.0)
CENTRE = (2040.81, 2049.37) if IS_HMI else (512.58, 512.17)
ROTATION = options.rotation if options.rotation is not None else 179.93 if IS_HMI else 0.0
BLANK = -2147483648
RADIUS = 696e6
UNIT = 149597870691.0
# The middles of dipoles: degrees from the central meridian, latitude; and for each: half the distance of the spots, their standard deviation in
# degrees and their field in Gauss.
DIPOLES, APART, WIDTH, PEAK = [(-1, 8), (30, -14), (-32, 22), (4, 58), (-57, -9), (48, 20), (-8, -38)], 3.0, 0.5, 1800.0


def earth(moment):
    """Distance in metres, Carrington longitude and latitude in degrees of the point below the Earth (Meeus, Astronomical Algorithms, chapters 25 and
    29)."""
    julian = moment.utc.jd
    days = julian - 2451545
    anomaly = np.radians(357.528 + 0.9856003 * days)
    longitude = np.radians(280.460 + 0.9856474 * days + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2 * anomaly))
    node = np.radians(73.6667 + 1.3958333 * (julian - 2396758) / 36525)
    tilt = np.radians(7.25)
    meridian = np.degrees(np.arctan2(-np.sin(longitude - node) * np.cos(tilt), -np.cos(longitude - node)))
    distance = (1.00014 - 0.01671 * np.cos(anomaly) - 0.00014 * np.cos(2 * anomaly)) * UNIT
    return (distance, (meridian - (julian - 2398220) * 360 / 25.38) % 360,
            np.degrees(np.arcsin(np.sin(longitude - node) * np.sin(tilt))))


def observer(moment):
    """The same of the instrument: SDO is where the Earth is, SOHO nearer to the Sun by 1 % and somewhat aside."""
    distance, longitude, latitude = earth(moment)
    return (distance, longitude, latitude) if IS_HMI else (0.99 * distance, (longitude + 0.25) % 360, latitude - 0.12)


def texture():
    """Network and noise in steps of the file, periodic, without regions: unipolar clumps at the borders of cells of some 30 Mm, and white noise."""
    random = np.random.default_rng([options.seed, zlib.crc32(options.instrument.encode())])
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None, :])

    def smooth(width):
        spectrum = np.fft.rfft2(random.standard_normal((SIDE, SIDE), np.float32))
        field = np.fft.irfft2(spectrum * np.exp(-2 * (np.pi * width * frequency) ** 2), (SIDE, SIDE))
        return (field / field.std()).astype(np.float32)

    pixel = 0.504276 / SCALE
    borders = np.exp(-(smooth(35 * pixel) / 0.35) ** 2)
    clumps = smooth(2.5 * pixel)
    field = 45 * borders * np.sign(clumps) * np.maximum(np.abs(clumps) - 1.3, 0) ** 1.5 + NOISE * random.standard_normal((SIDE, SIDE), np.float32)
    return np.rint(field / STEP).astype(np.int32)


def population(last):
    """Regions that live at some time between the first day of 1996 and `last` days later than that: (birth, lifetime, spots); spots: longitude,
    latitude, width in degrees, peak field. Each day's births depend on the seed and the day alone."""
    regions = []
    for day in range(int(last) - 40, int(last) + 1):
        random = np.random.default_rng([options.seed, day + 100000])
        for _ in range(random.poisson(2 * options.regions / 15)):
            birth, life = day + random.random(), random.uniform(8, 22)
            longitude, latitude = random.uniform(0, 360), random.choice([-1, 1]) * random.uniform(6, 30)
            size, polarity = random.uniform(0.5, 1.5), random.choice([-1, 1])
            spots = []
            for sign, share in [(1, 1.0), (-1, 0.7)]:
                east, north = sign * 3 * size, -sign * 0.6 * size * np.sign(latitude)
                spots.append((longitude + east, latitude + north, 0.5 * size * share, polarity * sign * random.uniform(1500, 2600) * share))
                for _ in range(25):
                    spots.append((longitude + east + random.normal(0, 2.2 * size), latitude + north + random.normal(0, 1.1 * size),
                                  random.uniform(0.12, 0.35), polarity * sign * random.uniform(100, 900)))
            regions.append((birth, life, spots))
    return regions


def dipoles():
    """Spots as those of a population."""
    meridian = earth(Time(options.dipoles, scale="tai"))[1]
    for longitude, latitude in DIPOLES:
        for sign in [1, -1]:
            yield meridian + longitude + sign * APART / np.cos(np.radians(latitude)), latitude - sign * 0.3 * np.sign(latitude), WIDTH, sign * PEAK


def drifted(east, north, days):
    """The Carrington longitude, days later: Snodgrass's rotation (ApJ 270, 288) against Carrington's."""
    square = np.sin(np.radians(north)) ** 2
    return east + np.degrees((2.851e-6 - 0.343e-6 * square - 0.474e-6 * square ** 2) * 86400 * days) - 360 / 25.38 * days


def paint(field, spots, strength, days, distance, longitude, latitude, is_radial=True):
    """Adds the line-of-sight field of radial spots, in Gauss, to an array, or a field that is the same from everywhere."""
    far, pixel = distance / RADIUS, np.radians(SCALE / 3600)
    tilt, turn = np.radians(latitude), np.radians(ROTATION)
    nodes = [0.0] if IS_HMI else [-(12 ** -0.5), 12 ** -0.5]
    for east, north, width, peak in spots:
        angle, height = np.radians(drifted(east, north, days) - longitude), np.radians(north)
        x = np.cos(height) * np.sin(angle)
        y = np.sin(height) * np.cos(tilt) - np.cos(height) * np.cos(angle) * np.sin(tilt)
        z = np.sin(height) * np.sin(tilt) + np.cos(height) * np.cos(angle) * np.cos(tilt)
        if z < 0.01:
            continue
        a, b = x / (far - z) / pixel, y / (far - z) / pixel
        column, row = CENTRE[0] - 1 + np.cos(turn) * a + np.sin(turn) * b, CENTRE[1] - 1 - np.sin(turn) * a + np.cos(turn) * b
        sigma = np.radians(width)
        reach = 5 * sigma / far / pixel + 1
        left, right = max(0, int(column - reach)), min(SIDE, int(column + reach) + 2)
        low, high = max(0, int(row - reach)), min(SIDE, int(row + reach) + 2)
        if left >= right or low >= high:
            continue
        for dy in nodes:
            for dx in nodes:
                across = pixel * (np.arange(left, right) + dx - CENTRE[0] + 1)[None, :]
                up = pixel * (np.arange(low, high) + dy - CENTRE[1] + 1)[:, None]
                p, q = np.cos(turn) * across - np.sin(turn) * up, np.sin(turn) * across + np.cos(turn) * up
                inside = p * p + q * q
                along = (far - np.sqrt(np.maximum(1 - inside * (far * far - 1), 0))) / (1 + inside)
                chord = (along * p - x) ** 2 + (along * q - y) ** 2 + (far - along - z) ** 2
                field[low:high, left:right] += strength * peak / len(nodes) ** 2 * (z if is_radial else 1) * np.exp(-chord / (2 * sigma * sigma))


def header(moment, distance, longitude, latitude, stored, number):
    """The keywords of hmi.M_720s and mdi.fd_M_96m_lev182. BSCALE, BZERO and BLANK come with an underscore in front: astropy would drop them."""
    cadence = 720 if IS_HMI else 5760
    slot = Time(round(moment.unix_tai / cadence) * cadence, format="unix_tai")

    def tai(instant, digits):
        instant = instant.tai
        instant.precision = digits
        return instant.isot.replace("-", ".").replace("T", "_") + "_TAI"

    def utc(instant, digits):
        instant = instant.utc
        instant.precision = digits
        return instant.isot

    digits = 0 if IS_HMI else 3
    radius = np.degrees(np.arcsin(RADIUS / distance)) * 3600
    inside = stored[stored != BLANK]
    cards = {
        "_BSCALE": STEP, "_BZERO": 0.0, "_BLANK": BLANK, "BUNIT": "Gauss", "DATE": "2018-04-30T07:54:48", "T_OBS": tai(moment, digits),
        "T_REC": tai(slot, digits), "CADENCE": float(cadence), "TRECSTEP": float(cadence), "WCSAXES": 2, "WCSNAME": "Helioprojective-cartesian",
        "CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "CUNIT1": "arcsec", "CUNIT2": "arcsec", "CRPIX1": CENTRE[0], "CRPIX2": CENTRE[1], "CRVAL1": 0.0,
        "CRVAL2": 0.0, "CDELT1": SCALE, "CDELT2": SCALE, "CROTA2": ROTATION, "DSUN_OBS": round(distance, 2), "RSUN_REF": 696000000,
        "RSUN_OBS": round(radius, 6), "R_SUN": round(radius / SCALE, 6), "CRLN_OBS": round(longitude, 6), "CRLT_OBS": round(latitude, 6),
        "CAR_ROT": int((moment.utc.jd - 2398140.227) // 27.2752316), "DATAVALS": inside.size, "MISSVALS": 0,
        "DATAMIN": round(inside.min() * STEP, 2), "DATAMAX": round(inside.max() * STEP, 2), "RECNUM": number,
    }
    if IS_HMI:
        cards |= {"TELESCOP": "SDO/HMI", "INSTRUME": "HMI_SIDE1", "CAMERA": 1, "CONTENT": "MAGNETOGRAM", "WAVELNTH": 6173.0, "QUALITY": 0,
                  "DSUN_REF": 149597870691, "ORIGIN": "SDO/JSOC-SDP", "DATE-OBS": utc(moment - 67.4 * u.s, 2),
                  "TRECEPOC": "1993.01.01_00:00:00_TAI"}
    else:
        cards |= {"TELESCOP": "SOHO", "CAMERA": "MDI", "CONTENT": "MDI Full Disk 96m Magnetogram", "WAVELNTH": 6768, "QUALITY": 512,
                  "INTERVAL": 300.0, "ORIGIN": "SOI Science Support Center", "DATE-OBS": utc(moment - 150 * u.s, 3),
                  "TRECEPOC": "1993.01.01_00:00:30.000_TAI", "X0": CENTRE[0] - 1, "Y0": CENTRE[1] - 1, "CROP_RAD": 504.0}
    name = tai(slot, 0).replace(".", "").replace(":", "")
    return fits.Header(cards), f"hmi.M_720s.{name}.magnetogram.fits" if IS_HMI else f"mdi.fd_M_96m_lev182.{name}.data.fits"


options.output.mkdir(parents=True, exist_ok=True)
begun = time.perf_counter()
base = np.zeros((SIDE, SIDE), np.int32) if options.dipoles else texture()
print(f"texture: {time.perf_counter() - begun:.1f} s")
row, column = (np.arange(SIDE) - (CENTRE[axis] - 1) for axis in (1, 0))
square = (row[:, None] ** 2 + column[None, :] ** 2).astype(np.float32)
start = Time(options.start, scale="tai")
begun, size, places = time.perf_counter(), 0, []
for number in range(options.count):
    moment = start + number * CADENCE * u.min
    distance, longitude, latitude = observer(moment)
    random = np.random.default_rng([options.seed, zlib.crc32(f"{options.instrument} {moment.isot}".encode())])
    quiet = np.roll(base, tuple(random.integers(SIDE, size=2)), (0, 1))[:: random.choice([-1, 1]), :: random.choice([-1, 1])]
    stored = quiet * random.choice([-1, 1])
    days = moment.unix_tai / 86400 - 9496
    field = np.zeros((SIDE, SIDE), np.float32)
    if options.dipoles:
        since = (moment - Time(options.dipoles, scale="tai")).to_value("day")
        paint(field, dipoles(), 1, since, distance, longitude, latitude, is_radial=False)
    for birth, life, spots in [] if options.dipoles else population(days):
        if 0 < days - birth < life:
            # Full strength after a fifth of the life, then slow decay.
            age = (days - birth) / life
            paint(field, spots, min(1, 5 * age) * (1 - 0.6 * age), days - birth, distance, longitude, latitude)
    stored += np.rint(field / STEP).astype(np.int32)
    stored[square > (np.tan(np.arcsin(RADIUS / distance)) / np.radians(SCALE / 3600)) ** 2] = BLANK
    cards, name = header(moment, distance, longitude, latitude, stored, number + 1)
    buffer = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(stored, cards, compression_type="RICE_1")]).writeto(buffer)
    content = buffer.getvalue()
    for keyword in ["BSCALE", "BZERO", "BLANK"]:
        before = f"_{keyword:<7}= ".encode()
        assert content.count(before, 0, 28800) == 1
        content = content.replace(before, f"{keyword:<8}= ".encode(), 1)
    (options.output / name).write_bytes(content)
    if options.dipoles:
        places += [f"{name},{drifted(east, north, since) % 360:.6f},{north:.6f},{peak:.1f}\n" for east, north, _, peak in dipoles()]
    size += len(content)
print(f"{options.count} files of {size / 1e6 / max(1, options.count):.1f} MB, {(time.perf_counter() - begun) / max(1, options.count):.2f} s each")
if places:
    (options.output / "dipoles.csv").write_text("file,carrington_longitude,latitude,peak\n" + "".join(places))
