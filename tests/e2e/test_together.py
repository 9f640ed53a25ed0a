"""multivariate_by_fields: who does not do what those do it goes with."""

import random

from harness import *

SPAN = 300
START = 1454284800
BUCKETS = 420
ODD = 400
SERVERS = ["web-1", "web-2", "web-3"]


def documents(first, last):
    r = random.Random(3)
    for b in range(last):
        load = r.gauss(0, 1) if b != ODD else 1.8
        for server in SERVERS:
            with_it = -load if b == ODD and server == "web-1" else load
            value = 100 + 10 * with_it + r.gauss(0, 2)
            if b >= first:
                yield {"time": START + b * SPAN, "server": server,
                    "load": "%.4f" % value}


def run(d, job, multivariate):
    analysis = {"bucket_span": "5m", "detectors": [{"function": "mean",
        "field_name": "load", "by_field_name": "server"}]}
    if multivariate:
        analysis["multivariate_by_fields"] = True
    d.make_job(job, {"analysis_config": analysis,
        "data_description": {"time_format": "epoch"}})
    # in parts, which end in the middle of what the worker keeps
    for first in range(0, BUCKETS, 105):
        d.post(job, list(documents(first, first + 105)))
    d.flush(job)
    return d.results(job, "records", "?size=1000")["records"]


def test_who_does_not_follow_is_told_with_whom_it_should_have():
    with Daemon() as d:
        at = (START + ODD * SPAN) * 1000
        alone = run(d, "alone", False)
        assert all("correlated_by_field_value" not in r for r in alone)
        odd = [r for r in run(d, "pairs", True)
            if r["timestamp"] == at and r["record_score"] > 30]
        assert [r["by_field_value"] for r in odd] == ["web-1"], odd
        assert odd[0]["correlated_by_field_value"] in SERVERS[1:], odd
        assert 112 < odd[0]["typical"][0] < 124, odd
        assert odd[0]["actual"][0] < 90, odd
        assert all(r["record_score"] < 30 for r in alone
            if r["timestamp"] == at), alone
