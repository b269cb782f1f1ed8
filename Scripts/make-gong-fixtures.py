#!/usr/bin/env python3
"""Writes Tests/Fixtures/SolarImage/GONG: headers of real magnetograms, and times and coordinates of their pixels by astropy and sunpy.

    make-gong-fixtures.py OUTPUT NAME=FILE ...

FILE is a FITS file or a header as text; each is trimmed into OUTPUT/NAME.header, one record of 80 columns a line. The committed ones are
  bb-2009   bbbqa090905t1854, Big Bear (NSO/GONG, NISP/NSO/AURA/NSF)
  td-2009   tdbqa090905t0924, El Teide (the same)
  le-2025   lebqa250109t0134, Learmonth, of sunpy's test data (the same)

The grid is put together here from the limb that GONG fitted, whose pixels begin at 0 (their centres at 0.5), and handed to sunpy as a TAN projection. For
files that sunpy's GONGMagnetogramMap takes, the same points by that: it counts CRPIXn as FITS does and takes another radius along each axis.
"""
import json
import pathlib
import sys
import warnings

import astropy.units as u
import numpy as np
import sunpy
import sunpy.map
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.time import Time
from sunpy.coordinates import HeliographicCarrington, sun

warnings.simplefilter("ignore")
sunpy.log.setLevel("ERROR")
out = pathlib.Path(sys.argv[1])
out.mkdir(parents=True, exist_ok=True)

KEPT = """TELESCOP OBS-SITE SITE DATE DATE-OBS TIME-OBS WCSNAME CTYPE1 CTYPE2 CRPIX1 CRPIX2 CRVAL1 CRVAL2 CDELT1 CDELT2 IMTYPE IMG_X0 IMG_Y0 IMGMN01
IMGRMS01 IMGSKW01 IMGMIN01 IMGMAX01 IMGADV01 IMGVAR01 IMGKUR01 BUNIT DTYPE SITENAME LON LAT ELEV DISTANCE RADIUS CENTROXC CENTROYC FNDLMBXC FNDLMBYC
FNDLMBMI FNDLMBMA FNDLMBAN SKYVALUE B0 L0 P_ANGLE SEMIDIAM N_USED AVGLMBXC AVGLMBYC AVGLMBMI AVGLMBMA AVGLMBAN""".split()


def records(path):
    if path.endswith(".header"):
        text = fits.Header.fromstring(pathlib.Path(path).read_text(), sep="\n").tostring(sep="", endcard=False, padding=False)
    else:
        unit = next(unit for unit in fits.open(path) if unit.data is not None and unit.data.ndim == 2)
        text = unit.header.tostring(sep="", endcard=False, padding=False)
    return [text[start:start + 80].rstrip() for start in range(0, len(text), 80)]


expected = []
for item in sys.argv[2:]:
    name, path = item.split("=", 1)
    kept = [record for record in records(path) if record[:8].strip() in KEPT and record[8] == "="]
    (out / f"{name}.header").write_text("\n".join(kept) + "\n")
    header = fits.Header.fromstring("\n".join(kept), sep="\n")
    # Seconds of GPS are those of TAI, 19 behind.
    gps = f"{header['DATE-OBS'].strip().replace('/', '-')}T{header['TIME-OBS'].strip()}"
    time = (Time(gps, scale="tai") + 19 * u.s).utc
    angle = (header.get("SEMIDIAM") or header["RADIUS"]) * u.rad
    pixels = (header["FNDLMBMI"] + header["FNDLMBMA"]) / 2
    latitude, longitude = header.get("B0"), header.get("L0")
    if latitude is None:
        latitude, longitude = sun.B0(time).deg, sun.L0(time).deg
    grid = {"CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN", "CUNIT1": "arcsec", "CUNIT2": "arcsec", "CRVAL1": 0.0, "CRVAL2": 0.0,
            "CRPIX1": header["FNDLMBXC"] + 0.5, "CRPIX2": header["FNDLMBYC"] + 0.5, "CDELT1": (angle / pixels).to_value(u.arcsec),
            "CDELT2": (angle / pixels).to_value(u.arcsec), "DATE-OBS": time.isot, "RSUN_REF": 696000000.0,
            "DSUN_OBS": header["DISTANCE"] * 149597870691.0, "CRLN_OBS": longitude, "CRLT_OBS": latitude}
    image = sunpy.map.Map(np.broadcast_to(np.float32(0), (860, 860)), grid)
    points = [[430.0, 430.0], [200.25, 610.5], [650.0, 300.0], [60.0, 400.0]]
    places = image.pixel_to_world(*(np.array(points).T * u.pix))
    carrington = places.transform_to(HeliographicCarrington(observer=image.observer_coordinate))
    row = {"name": name, "utc": time.isot, "arcsecPerPixel": grid["CDELT1"], "latitude": float(latitude), "longitude": float(longitude), "points": points,
           "sky": [[float(p.Tx.to_value(u.arcsec)), float(p.Ty.to_value(u.arcsec))] for p in places],
           "carrington": [[float(p.lon.deg), float(p.lat.deg)] for p in carrington]}
    if header.get("DTYPE", "").strip() == "OBSERVE":
        own = sunpy.map.Map(np.broadcast_to(np.float32(0), (860, 860)), dict(header))
        assert type(own).__name__ == "GONGMagnetogramMap"
        row["sunpy"] = [[float(p.Tx.to_value(u.arcsec)), float(p.Ty.to_value(u.arcsec))] for p in own.pixel_to_world(*(np.array(points).T * u.pix))]
        row["sunpyUTC"] = own.date.isot
        print(name, own.date.isot, own.scale, own.observer_coordinate)
    expected.append(row)
(out / "expected.json").write_text(json.dumps({"sunpy": sunpy.__version__, "files": expected}, indent=1) + "\n")
