#!/usr/bin/env python3
"""Writes Tests/Fixtures/SolarImage/times-of-headers.json: headers that tell a time, and that time by astropy.

    make-time-fixtures.py OUTPUT

Each row has the keywords, and seconds of atomic time since 1970-01-01T00:00:00 TAI, or null where no keyword tells a time. What a keyword means
is written here beside it, as astropy reads it: an ISO time or a modified Julian date, and its scale.
"""
import json
import sys
import warnings

from astropy.time import Time

warnings.simplefilter("ignore")
EPOCH = Time("1970-01-01T00:00:00", scale="tai")

rows = [
    # Date and time apart.
    ({"DATE-OBS": "2012-03-06", "TIME-OBS": "14:23:22.00"}, "2012-03-06T14:23:22.00", "utc"),
    ({"DATE-OBS": "2012/03/06", "TIME-OBS": "14:23"}, "2012-03-06T14:23:00", "utc"),
    ({"DATE_OBS": "2012-03-06", "TIME_OBS": "14:23:22.5"}, "2012-03-06T14:23:22.5", "utc"),
    ({"DATE-OBS": "06/03/98", "TIME-OBS": "14:23:22"}, "1998-03-06T14:23:22", "utc"),
    ({"DATE-OBS": "06/03/1998", "TIME-OBS": "14:23:22.250"}, "1998-03-06T14:23:22.250", "utc"),
    ({"DATE-OBS": "28-Jul-2009", "TIME-OBS": "17:41:30.413"}, "2009-07-28T17:41:30.413", "utc"),
    ({"DATE-OBS": "2012-03-06", "TIME-OBS": "14:23:22", "TIMESYS": "TAI"}, "2012-03-06T14:23:22", "tai"),
    # A date alone is no time.
    ({"DATE-OBS": "2012-03-06"}, None, None),
    ({"DATE-OBS": "2012-03-06", "DATE-AVG": "2012-03-06T14:23:22"}, "2012-03-06T14:23:22", "utc"),
    # Other spellings.
    ({"DATE-OBS": "6-Mar-2012 14:23"}, "2012-03-06T14:23:00", "utc"),
    ({"DATE-OBS": " 6-MAR-12 04:23:22.500"}, "2012-03-06T04:23:22.500", "utc"),
    ({"DATE-OBS": "06-OCT-1998 4:23:22"}, "1998-10-06T04:23:22", "utc"),
    ({"DATE-OBS": "2012-03-06T14:23:22.00(UTC)"}, "2012-03-06T14:23:22", "utc"),
    ({"DATE-OBS": "2012-03-06T14:23:22 UTC"}, "2012-03-06T14:23:22", "utc"),
    ({"DATE-OBS": "2012-03-06T14:23:22.5+00:00"}, "2012-03-06T14:23:22.5", "utc"),
    ({"DATE-OBS": "2012-03-06T14:23:22-05:30"}, "2012-03-06T19:53:22", "utc"),
    ({"DATE-OBS": "2012-03-06T00:23:22+0100"}, "2012-03-05T23:23:22", "utc"),
    ({"T_OBS": "2012.03.06_14:24:30_TDT"}, "2012-03-06T14:24:30", "tt"),
    ({"T_OBS": "2012.03.06_14:24:30_TT"}, "2012-03-06T14:24:30", "tt"),
    ({"T_OBS": "2012.03.06_14:23:56_UT"}, "2012-03-06T14:23:56", "utc"),
    # Other keywords, and which of several counts.
    ({"DATE-BEG": "2012-03-06T14:21:26"}, "2012-03-06T14:21:26", "utc"),
    ({"DATE-AVG": "2012-03-06T14:23:26", "DATE-OBS": "2012-03-06T14:21:26"}, "2012-03-06T14:23:26", "utc"),
    ({"T_OBS": "2012.03.06_14:23:56_TAI", "DATE-AVG": "2012-03-06T14:23:26"}, "2012-03-06T14:23:56", "tai"),
    ({"T_OBS": "MISSING", "DATE-OBS": "2012-03-06T14:21:26"}, "2012-03-06T14:21:26", "utc"),
    ({"MJD-OBS": 55992.599560185}, 55992.599560185, "utc"),
    ({"MJD-OBS": 55992.5, "MJD-AVG": 55992.75}, 55992.75, "utc"),
    ({"MJD-OBS": 57753.999999, "TIMESYS": "UTC"}, 57753.999999, "utc"),
    ({"MJD-OBS": 55992.599560185, "TIMESYS": "TT"}, 55992.599560185, "tt"),
    ({"MJD-OBS": 0.0}, None, None),
    # Scales.
    ({"DATE-OBS": "2012-03-06T14:23:22", "TIMESYS": "TAI"}, "2012-03-06T14:23:22", "tai"),
    ({"DATE-OBS": "2012-03-06T14:23:22", "TIMESYS": "tai"}, "2012-03-06T14:23:22", "tai"),
    ({"DATE-OBS": "2012-03-06T14:23:22", "TIMESYS": "TDT"}, "2012-03-06T14:23:22", "tt"),
    ({"DATE-OBS": "2012-03-06T14:23:22", "TIMESYS": "TDB"}, "2012-03-06T14:23:22", "tdb"),
    ({"DATE-OBS": "2012-03-06T14:23:22", "TIMESYS": "UTC"}, "2012-03-06T14:23:22", "utc"),
    ({"DATE-OBS": "2012-03-06T14:23:22Z", "TIMESYS": "TAI"}, "2012-03-06T14:23:22", "utc"),
    ({"DATE-OBS": "2012-03-06T14:23:22", "TIMESYS": "LOCAL"}, None, None),
    ({"DATE-OBS": "2012-06-30T23:59:60.25"}, "2012-06-30T23:59:60.25", "utc"),
    # What is no date.
    ({"DATE-OBS": "31/02/1998", "TIME-OBS": "14:23:22"}, None, None),
    ({"DATE-OBS": "06/13/1998", "TIME-OBS": "14:23:22"}, None, None),
    ({"DATE-OBS": "06/03/12", "TIME-OBS": "14:23:22"}, None, None),
    ({"DATE-OBS": "2012-03-06T14:23:22 local"}, None, None),
    ({"DATE-OBS": "6-Mar-2012"}, None, None),
]
result = []
for header, value, scale in rows:
    seconds = None
    if value is not None:
        moment = Time(value, scale=scale) if isinstance(value, str) else Time(value, format="mjd", scale=scale)
        seconds = float((moment.tai - EPOCH).to_value("s"))
    result.append({"header": header, "taiSeconds": seconds})
with open(sys.argv[1], "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(row) for row in result) + "\n]\n")
