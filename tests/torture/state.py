"""What a job has become, in a form that two runs can be compared in: its
counts, its results as the API shows them, and the rows of its results.db.
Floating point numbers are kept to the last bit. What depends on the wall
clock is left out, and nothing else.
"""

import glob
import json
import os
import sqlite3

import harness
from harness import ML, expect

# Wall time, and checksums over rows that have wall time in them.
WALL_COLUMNS = {"processing_time_ms", "crc"}
WALL_FIELDS = {"processing_time_ms", "log_time", "last_data_time",
    "create_time"}
TABLES = ("bucket", "record", "detector", "influencer", "influence", "plot")
PAGE = 5000


def job_dir(daemon, job_id):
    """The directory of a job; there must be one, and only one."""
    found = glob.glob("%s/jobs/%s.*" % (daemon.state_dir, job_id))
    assert len(found) == 1, "%s has the directories %r" % (job_id, found)
    return found[0]


def without_wall(value):
    if isinstance(value, dict):
        return {k: without_wall(v) for k, v in value.items()
            if k not in WALL_FIELDS}
    if isinstance(value, list):
        return [without_wall(v) for v in value]
    return value


def result_pages(daemon, job_id, kind):
    """All results of a kind by way of the API, in the order of time."""
    found = []
    while True:
        answer = daemon.results(job_id, kind, "?sort=timestamp&from=%d&size=%d"
            % (len(found), PAGE) if kind != "buckets" else
            "?from=%d&size=%d" % (len(found), PAGE))
        found += answer[kind]
        if len(found) >= answer["count"] or not answer[kind]:
            assert len(found) == answer["count"], (job_id, kind)
            return found


def database_rows(path):
    """table -> its rows as text; reals as hexadecimal, which is exact."""
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    try:
        rows = {}
        for table in TABLES:
            cursor = db.execute("SELECT * FROM " + table)
            names = [c[0] for c in cursor.description]
            rows[table] = sorted(" ".join("%s=%s" % (n, v.hex()
                if isinstance(v, (float, bytes)) else v)
                for n, v in zip(names, row) if n not in WALL_COLUMNS)
                for row in cursor)
        return rows
    finally:
        db.close()


def forecasts(daemon, job_id):
    """id -> its status, and all its points as text."""
    found = {}
    path = "%s/anomaly_detectors/%s/results/forecasts" % (ML, job_id)
    for request in expect(200, daemon.get(path + "?size=1000"))["forecasts"]:
        if request["result_type"] != "model_forecast_request_stats":
            continue
        rows = expect(200, daemon.get("%s/%s?size=10000" % (path,
            request["forecast_id"])))["forecasts"]
        points = [{k: v for k, v in row.items() if k != "forecast_id"}
            for row in rows if row["result_type"] == "model_forecast"]
        found[request["forecast_id"]] = (request["forecast_status"], "%d %s"
            % (len(points), json.dumps(sorted(json.dumps(without_wall(p),
                sort_keys=True) for p in points))))
    return found


def take(daemon, job_id):
    """The state of a closed job."""
    stats = daemon.stats(job_id)
    state = {
        "counts": ["%s=%r" % item for item in
            sorted(without_wall(stats["data_counts"]).items())],
    }
    for kind in ("buckets", "records", "influencers"):
        state["api " + kind] = sorted(json.dumps(without_wall(r),
            sort_keys=True) for r in result_pages(daemon, job_id, kind))
    path = os.path.join(job_dir(daemon, job_id), "results", "results.db")
    if os.path.exists(path):
        for table, rows in database_rows(path).items():
            state["table " + table] = rows
    return state


def differences(got, wanted, most=5):
    """Lines that say in what two states differ; none when they are equal."""
    found = []
    for part in sorted(set(got) | set(wanted)):
        a, b = list(got.get(part, [])), list(wanted.get(part, []))
        if a == b:
            continue
        found.append("%s: %d, wanted %d" % (part, len(a), len(b)))
        more, less = _surplus(a, b), _surplus(b, a)
        found += ["  got    " + line for line in more[:most]]
        found += ["  wanted " + line for line in less[:most]]
    return found


def _surplus(a, b):
    """What a has more often than b."""
    left = {}
    for line in b:
        left[line] = left.get(line, 0) + 1
    extra = []
    for line in a:
        if left.get(line, 0) > 0:
            left[line] -= 1
        else:
            extra.append(line)
    return extra


__all__ = ["ML", "database_rows", "differences", "forecasts", "harness",
    "job_dir", "take"]
