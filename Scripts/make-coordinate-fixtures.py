#!/usr/bin/env python3
"""Writes Tests/Fixtures/SolarImage/Coordinates: headers, and coordinates of their pixels computed by astropy and sunpy.

    make-coordinate-fixtures.py OUTPUT [NAME=FILE ...]

Each NAME=FILE (a FITS file, or a header as text) is trimmed into OUTPUT/NAME.header, one record of 80 columns a line. The committed ones are
  mdi-1999, mdi-2010        mdi.fd_M_96m_lev182 of 1999-12-11 00:00 and 2010-10-15 00:00 (SOHO/MDI, ESA & NASA)
  mdi-early                 mdi.fd_M_96m_01d of 2009-01-31, rebinned to 128 x 128 pixels by sunpy's test data (the same)
  smarp                     mdi.smarp_cea_96m, TARP 13520, 2010-07-14 (the same)
  sharp-2012, sharp-2025    hmi.sharp_cea_720s, HARP 1447 and 14003 (NASA/SDO and the HMI science team)
  harp-5692                 hmi.sharp_720s, stripped of its header (the same)
  mtwilson                  150-foot tower, 1999-12-11 (Mount Wilson Observatory)
and of sunpy.data.test: hmi-resampled (resampled_hmi.fits), hmi-cutout (hmi_sharp_magnetogram.header), hmi-bharp (hmi_bharp_vlos_mag.header),
hmi-cea (hmi_cea_sharp_magnetogram.header), hmi-synoptic, mdi-synoptic, mdi-magnetogram and mdi-continuum (mdi.fd_*.header). All other headers are
made below.

sunpy is given each header as it is, but for what it has otherwise:
- MDI's early files: sunpy takes the modern radius of the Sun (695,700 km) where RSUN_REF is absent; the instrument's is 696,000 km. It ignores the
  roll of the spacecraft, SOLAR_P0, which SolarSoft and JSOC read (CROTA2 = -SOLAR_P0).
- LONPOLE and LATPOLE, which sunpy does not read: pixels of headers with them go through astropy.
- JSOC's unquoted nan, which astropy does not parse, is left out with its keyword (CRDERn).
HMIMap takes T_OBS for the time of its frames, MDIMap DATE-OBS: of no matter to coordinates on sky and Sun, which observer and point share.
"""
import json
import pathlib
import sys
import warnings

import astropy
import astropy.units as u
import numpy as np
import sunpy
import sunpy.map
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.time import Time
from astropy.wcs import WCS
from sunpy.coordinates import (Heliocentric, HeliographicCarrington, HeliographicStonyhurst, Helioprojective, RotatedSunFrame, sun,
                               transform_with_sun_center)
from sunpy.physics.differential_rotation import diff_rot

warnings.simplefilter("ignore")
sunpy.log.setLevel("ERROR")
out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)

KEPT = """NAXIS1 NAXIS2 TELESCOP INSTRUME CAMERA CONTENT ORIGIN T_OBS T_REC DATE-OBS DATE_OBS CTYPE1 CTYPE2 CUNIT1 CUNIT2 CRPIX1 CRPIX2 CRVAL1 CRVAL2
CDELT1 CDELT2 CROTA2 PC1_1 PC1_2 PC2_1 PC2_2 CD1_1 CD1_2 CD2_1 CD2_2 PV2_1 LONPOLE LATPOLE WCSNAME CRDER1 CRDER2 DSUN_OBS DSUN_REF RSUN_REF RSUN_OBS
CRLN_OBS CRLT_OBS HGLN_OBS HGLT_OBS CAR_ROT OBS_DIST OBS_L0 OBS_B0 OBS_R0 SOLAR_P0 SOLAR_P P_ANGLE R_SUN X0 Y0 R0 B0""".split()


def records(path):
    """The header of the first image as records of 80 columns; a compressed image's own axes."""
    if path.endswith(".header"):
        text = fits.Header.fromstring(pathlib.Path(path).read_text(), sep="\n").tostring(sep="", endcard=False, padding=False)
    else:
        with fits.open(path) as units:
            unit = next(h for h in units if h.header["NAXIS"] == 2)
            text = "".join(str(card.image) for card in unit.header.cards)
    return [text[start:start + 80] for start in range(0, len(text), 80)]


for item in sys.argv[2:]:
    name, path = item.split("=", 1)
    kept = [record.rstrip() for record in records(path) if record[:8].strip() in KEPT and record[8] == "="]
    (out / f"{name}.header").write_text("\n".join(kept) + "\n")

# --- Headers made here ------------------------------------------------------------------------------------------------------------------
hmi = {"NAXIS1": 4096, "NAXIS2": 4096, "TELESCOP": "SDO/HMI", "INSTRUME": "HMI_FRONT2", "T_OBS": "2010.10.15_01:00:07.100_TAI",
       "DATE-OBS": "2010-10-15T00:59:10.20", "CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "CUNIT1": "arcsec", "CUNIT2": "arcsec", "CRPIX1": 2045.4141,
       "CRPIX2": 2048.2339, "CRVAL1": 0.0, "CRVAL2": 0.0, "CDELT1": 0.504310, "CDELT2": 0.504310, "DSUN_OBS": 149156824832.0, "RSUN_REF": 696000000.0,
       "RSUN_OBS": 962.480713, "CRLN_OBS": 202.957214, "CRLT_OBS": 5.776731}
angle = np.radians(3.1)
made = {f"hmi-turned-{turn:g}": hmi | {"CROTA2": turn} for turn in [0.0, 180.0, 179.93, 180.013, 3.1, -91.0]}
made["hmi-pc"] = hmi | {"CDELT1": 0.6, "CDELT2": 0.5, "CRVAL1": -300.0, "CRVAL2": 411.5, "CROTA2": 45.0, "PC1_1": np.cos(angle),
                        "PC1_2": -np.sin(angle) * 0.5 / 0.6, "PC2_1": np.sin(angle) * 0.6 / 0.5, "PC2_2": np.cos(angle)}
made["hmi-cd"] = {key: value for key, value in hmi.items() if key not in ("CDELT1", "CDELT2")} | {
    "CD1_1": -0.5 * np.cos(angle), "CD1_2": 0.5 * np.sin(angle), "CD2_1": -0.5 * np.sin(angle), "CD2_2": -0.5 * np.cos(angle)}
made["hmi-degrees"] = hmi | {"CUNIT1": "deg", "CUNIT2": "deg", "CDELT1": 0.504310 / 3600, "CDELT2": 0.504310 / 3600, "CRVAL1": 0.1, "CRVAL2": -0.05}
made["hmi-stonyhurst-observer"] = {key: value for key, value in hmi.items() if key not in ("CRLN_OBS", "CRLT_OBS")} | {
    "HGLN_OBS": 0.04, "HGLT_OBS": 5.776731}
made["sky-arc"] = hmi | {"CTYPE1": "HPLN-ARC", "CTYPE2": "HPLT-ARC", "CROTA2": 10.0, "CRVAL1": 500.0, "CRVAL2": -200.0}
made["sky-poles"] = hmi | {"LONPOLE": 175.0, "LATPOLE": 12.0, "CRVAL1": 200.0, "CRVAL2": 100.0}
chart = hmi | {"NAXIS1": 900, "NAXIS2": 600, "CTYPE1": "CRLN-CEA", "CTYPE2": "CRLT-CEA", "CUNIT1": "deg", "CUNIT2": "deg", "CRPIX1": 450.5,
               "CRPIX2": 300.5, "CRVAL1": 190.0, "CRVAL2": -23.5, "CDELT1": 0.06, "CDELT2": 0.06}
made["map-lambda"] = chart | {"PV2_1": 0.75, "CRVAL2": 0.0}
made["map-lambda-oblique"] = chart | {"PV2_1": 0.6}
made["map-poles"] = chart | {"LONPOLE": 180.0, "LATPOLE": 66.5}
made["map-stonyhurst"] = chart | {"CTYPE1": "HGLN-CEA", "CTYPE2": "HGLT-CEA", "CRVAL1": -12.0, "CRVAL2": 15.0, "HGLN_OBS": 0.04, "HGLT_OBS": 5.776731}
made["map-turned"] = chart | {"CROTA2": 3.1}
for name, header in made.items():
    cards = [str(fits.Card(key, float(value) if isinstance(value, (float, np.floating)) else value)).rstrip() for key, value in header.items()]
    (out / f"{name}.header").write_text("\n".join(cards) + "\n")

# --- Expected values --------------------------------------------------------------------------------------------------------------------
REFUSED = {"harp-5692": "CTYPE1", "mtwilson": "CTYPE1", "hmi-synoptic": "CUNIT2", "mdi-synoptic": "CUNIT2"}


def load(path):
    header = fits.Header.fromstring(path.read_text(), sep="\n")
    values = {}
    for card in header.cards:
        try:
            values[card.keyword] = card.value
        except fits.VerifyError:
            assert "nan" in card.image, card.image
    return {key: value for key, value in values.items() if value != "nan"}


def solar_map(header):
    header = dict(header)
    if header.get("CTYPE1") == "solar-x":
        roll = -header["SOLAR_P0"]
        c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
        x, y = header["CRVAL1"], header["CRVAL2"]
        header |= {"RSUN_REF": 696000000.0, "CROTA2": roll, "CRVAL1": c * x - s * y, "CRVAL2": s * x + c * y}
    shape = (header["NAXIS2"], header["NAXIS1"])
    return sunpy.map.Map(np.broadcast_to(np.float32(0), shape), header)


def rounded(values):
    """To 1e-10, which no test goes below."""
    return [None if not np.isfinite(value) else round(float(value), 10) for value in np.atleast_1d(values)]


def pairs(x, y):
    return [None if not (np.isfinite(a) and np.isfinite(b)) else rounded([a, b]) for a, b in zip(x, y)]


expected = {"versions": {"astropy": astropy.__version__, "sunpy": sunpy.__version__}, "refused": REFUSED, "headers": []}
random = np.random.default_rng(20101015)
for path in sorted(out.glob("*.header")):
    name = path.stem
    if name in REFUSED:
        continue
    header = load(path)
    image = solar_map(header)
    width, height = header["NAXIS1"], header["NAXIS2"]
    # A map in Stonyhurst coordinates has no observer in sunpy: here it is the one of the header from which the map is made.
    observer = solar_map(hmi).observer_coordinate if header["CTYPE1"].startswith("HGLN") else image.observer_coordinate
    date = observer.obstime
    carrington_frame = HeliographicCarrington(observer=observer, obstime=date, rsun=image.rsun_meters)
    sky_frame = Helioprojective(observer=observer, obstime=date, rsun=image.rsun_meters)
    if header["CTYPE1"].startswith("HGLN"):
        # Longitudes from the central meridian that CRLN_OBS and HGLN_OBS give.
        meridian = (header["CRLN_OBS"] - header["HGLN_OBS"]) * u.deg

    # All over the image and somewhat beyond, the corners, and whole pixels; for maps of the Sun also in the middle.
    points = np.concatenate([
        random.uniform([-2, -2], [width + 1, height + 1], (40, 2)), [[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]],
        np.floor(random.uniform([0, 0], [width, height], (6, 2)))])
    points = np.round(points * 256) / 256
    if "LONPOLE" in header:
        degrees = WCS(fits.Header(header)).wcs_pix2world(points, 0) * u.deg
        world = SkyCoord(degrees[:, 0], degrees[:, 1], frame=image.coordinate_frame)
    else:
        world = image.pixel_to_world(points[:, 0] * u.pix, points[:, 1] * u.pix)
    # From the Earth's longitude at T_OBS, for which CRLN_OBS is given; MDIMap would take DATE-OBS, minutes earlier (0.03 degrees).
    there = SkyCoord(observer).transform_to(carrington_frame)
    begin = Time(header["T_OBS"][:10].replace(".", "-") + "T" + header["T_OBS"][11:].removesuffix("_TAI"), scale="tai")
    stonyhurst = HeliographicCarrington(there.lon, there.lat, there.radius, obstime=begin, observer="self").transform_to(
        HeliographicStonyhurst(obstime=begin)).lon.to_value(u.deg)
    row = {"name": name, "points": points.tolist(), "observer": {
        "distance": observer.radius.to_value(u.m), "latitude": observer.lat.to_value(u.deg), "solarRadius": image.rsun_meters.to_value(u.m),
        "carrington": there.lon.to_value(u.deg), "stonyhurst": stonyhurst}}
    if header["CTYPE1"].startswith(("HPLN", "solar")):
        row["world"] = pairs(world.Tx.to_value(u.arcsec), world.Ty.to_value(u.arcsec))
        surface = SkyCoord(world.Tx, world.Ty, frame=sky_frame).transform_to(carrington_frame)
        row["carrington"] = pairs(surface.lon.to_value(u.deg), surface.lat.to_value(u.deg))
    else:
        row["world"] = pairs(world.lon.to_value(u.deg), world.lat.to_value(u.deg))
        lon = world.lon + (meridian if header["CTYPE1"].startswith("HGLN") else 0 * u.deg)
        surface = SkyCoord(lon, world.lat, image.rsun_meters, frame=carrington_frame)
        sky = surface.transform_to(sky_frame)
        row["sky"] = pairs(sky.Tx.to_value(u.arcsec), sky.Ty.to_value(u.arcsec))
    position = surface.transform_to(Heliocentric(observer=observer, obstime=date)).cartesian.xyz.to_value(u.m)
    sight = np.array([[0], [0], [observer.radius.to_value(u.m)]]) - position
    row["mu"] = rounded((position * sight).sum(0) / np.sqrt((position ** 2).sum(0) * (sight ** 2).sum(0)))
    expected["headers"].append(row)

# The Earth's Carrington longitude.
expected["centralMeridian"] = []
for text in [f"{year}-{1 + (year * 5) % 12:02}-{1 + (year * 7) % 28:02}T{(year * 11) % 24:02}:30:00" for year in range(1990, 2031)]:
    expected["centralMeridian"].append({"time": text, "longitude": sun.L0(Time(text, scale="utc")).to_value(u.deg)})

# Differential rotation.
expected["rotation"] = []
for days in [-3.0, -1.25, -0.01, 0.5, 3.0]:
    for latitude in [-85.0, -40.0, -7.5, 0.0, 16.0, 33.0, 60.0, 90.0]:
        sidereal = diff_rot(days * u.day, latitude * u.deg, rot_type="snodgrass").wrap_at(180 * u.deg).to_value(u.deg)
        synodic = diff_rot(days * u.day, latitude * u.deg, rot_type="snodgrass", frame_time="synodic").wrap_at(180 * u.deg).to_value(u.deg)
        expected["rotation"].append({"days": days, "latitude": latitude, "sidereal": sidereal, "synodic": synodic,
                                     "carrington": sidereal - 14.1844 * days})

# From MDI's pixels over the Sun to HMI's an hour later.
mdi, later = solar_map(load(out / "mdi-2010.header")), solar_map(made["hmi-turned-179.93"])
points = np.round(random.uniform([300, 300], [720, 720], (30, 2)) * 256) / 256
seconds = float((Time("2010-10-15T01:00:07.1", scale="tai") - Time("2010-10-15T00:03:30", scale="tai")).to_value("s"))
world = mdi.pixel_to_world(points[:, 0] * u.pix, points[:, 1] * u.pix)
start = world.transform_to(HeliographicCarrington(observer=mdi.observer_coordinate, obstime=mdi.observer_coordinate.obstime, rsun=696000000 * u.m))
drift = diff_rot(seconds * u.s, start.lat, rot_type="snodgrass") - 14.1844 * u.deg / u.day * seconds * u.s
frame = HeliographicCarrington(observer=later.observer_coordinate, obstime=later.observer_coordinate.obstime, rsun=696000000 * u.m)
pixels = later.world_to_pixel(SkyCoord(start.lon + drift, start.lat, 696000000 * u.m, frame=frame).transform_to(later.coordinate_frame))
expected["pair"] = {"from": "mdi-2010", "to": "hmi-turned-179.93", "seconds": seconds, "points": points.tolist(),
                    "pixels": pairs(pixels.x.value, pixels.y.value)}

# Regions at 00:00 UT by Stonyhurst coordinates, seen by MDI, which is not on the Sun-Earth line, when it took its image, by sunpy's rotating frame.
expected["regions"] = []
for lon, lat in [(-62.0, 18.0), (-20.0, -31.0), (3.0, 9.0), (41.0, -12.0), (55.0, 25.0)]:
    begin = Time("2010-10-14T00:00:00", scale="utc")
    seconds = float((Time("2010-10-15T00:03:30", scale="tai") - begin).to_value("s"))
    start = SkyCoord(lon * u.deg, lat * u.deg, 696000000 * u.m, frame=HeliographicStonyhurst(obstime=begin, rsun=696000000 * u.m))
    turned = RotatedSunFrame(base=start.frame, duration=seconds * u.s, rotation_model="snodgrass")
    observer = HeliographicCarrington(203.46173095703125 * u.deg, 5.9158711433410645 * u.deg, 147937426993.65381 * u.m,
                                      obstime=begin + seconds * u.s, observer="self")
    with transform_with_sun_center():  # the region follows the Sun, which itself moves among the stars
        sky = SkyCoord(turned).transform_to(Helioprojective(observer=observer, obstime=begin + seconds * u.s, rsun=696000000 * u.m))
    expected["regions"].append({"longitude": lon, "latitude": lat, "time": "2010-10-14T00:00:00",
                                "sky": [sky.Tx.to_value(u.arcsec), sky.Ty.to_value(u.arcsec)]})

(out / "expected.json").write_text(json.dumps(expected, separators=(",", ":"), allow_nan=False) + "\n")
