"""The job's time zone reaches the models in the worker's sandbox."""
import calendar
import json
import os
import struct
import tempfile

from harness import *

HOUR_S = 3600
# clocks are put forward at 01:00 UTC
FORWARD_S = calendar.timegm((2018, 3, 25, 1, 0, 0))
DAYS_BEFORE, DAYS_BEHIND = 27, 3


def zone_data():
    """RFC 9636: nothing that is read, a change in 1970, and the rule."""
    kind = struct.pack(">iBB", HOUR_S, 0, 0) + b"CET\0"
    return b"".join((
        b"TZif2" + bytes(15) + struct.pack(">6I", 0, 0, 0, 0, 1, 4) + kind,
        b"TZif2" + bytes(15) + struct.pack(">6I", 0, 0, 0, 1, 1, 4),
        struct.pack(">qB", 0, 0) + kind,
        b"\nCET-1CEST,M3.5.0,M10.5.0/3\n"))


def office_hours():
    lines = []
    for i in range(-DAYS_BEFORE * 24, DAYS_BEHIND * 24):
        t = FORWARD_S + i * HOUR_S
        ahead = 2 if i >= 0 else 1
        hour = (t // HOUR_S + ahead) % 24
        value = (500 if 8 <= hour < 18 else 50) + t // HOUR_S * 7 % 11
        lines.append(json.dumps({"time": t * 1000, "v": value}))
    return "\n".join(lines) + "\n"


def config(zone):
    return {"analysis_config": {"bucket_span": "1h", "detectors": [
                {"function": "mean", "field_name": "v"}]},
            "data_description": {"time_field": "time",
                "time_format": "epoch_ms"},
            "custom_settings": {"time_zone": zone}}


def alarms(d, job_id):
    return d.results(job_id, "records", "?record_score=50&start=%d" %
        (FORWARD_S * 1000))["count"]


def feed(d, job_id):
    d.open_job(job_id)
    d.post(job_id, office_hours())
    d.close_job(job_id)


def with_zone(directory):
    os.mkdir(os.path.join(directory, "Europe"))
    berlin = os.path.join(directory, "Europe", "Berlin")
    with open(berlin, "wb") as f:
        f.write(zone_data())
    return berlin


def test_change_of_clocks_is_no_event():
    with tempfile.TemporaryDirectory() as zones:
        with_zone(zones)
        with Daemon(env={"TZDIR": zones}) as d:
            d.put_job("berlin", config("Europe/Berlin"))
            d.put_job("utc", config("UTC"))
            feed(d, "berlin")
            feed(d, "utc")
            assert "cannot be read" not in d.log(), d.log()
            assert alarms(d, "berlin") == 0
            assert alarms(d, "utc") > 0


def test_zone_that_is_gone_is_utc():
    with tempfile.TemporaryDirectory() as zones:
        berlin = with_zone(zones)
        with Daemon(env={"TZDIR": zones}) as d:
            d.put_job("j", config("Europe/Berlin"))
            os.unlink(berlin)
            feed(d, "j")
            assert ("custom_settings.time_zone [Europe/Berlin] cannot be "
                "read from " + zones) in d.log(), d.log()
            assert alarms(d, "j") > 0
