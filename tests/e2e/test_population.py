"""Populations: who differs from the others, and in what, as
results/records tells it."""

import math
import os
import random
import signal

from harness import *

SPAN = 600
START = 1454020200  # the beginning of a bucket
BUCKETS = 400
ODD = 380           # in this bucket user-7 sends out far too much


def bucket_ms(n):
    return (START + n * SPAN) * 1000


def records(first, last):
    for n in range(first, last):
        r = random.Random(n)
        for m in range(60):
            user = r.randrange(30)
            sent = math.exp(5 + r.gauss(0, 0.5))
            yield {"time": START + n * SPAN + m, "user": "user-%d" % user,
                "app": ("mail", "web", "chat")[m % 3], "sent": sent}
        if n == ODD:
            for app, sent in (("web", 4e5), ("mail", 1e5), ("chat", 150)):
                yield {"time": START + n * SPAN + 61, "user": "user-7",
                    "app": app, "sent": sent}


def make(d):
    detector = {"function": "high_sum", "field_name": "sent",
        "by_field_name": "app", "over_field_name": "user"}
    d.make_job("j", {"analysis_config": {"bucket_span": "10m",
        "detectors": [detector], "influencers": ["user"]},
        "data_description": {"time_format": "epoch"}})


def check(d):
    page = d.results("j", "records", "?record_score=50")
    assert page["count"] == 1, page
    one = page["records"][0]
    assert one["timestamp"] == bucket_ms(ODD), one
    assert one["over_field_name"] == "user", one
    assert one["over_field_value"] == "user-7", one
    assert one["user"] == ["user-7"], one
    assert one["by_field_name"] == "app", one
    assert "by_field_value" not in one, one
    assert "typical" not in one and "actual" not in one, one
    assert one["multi_bucket_impact"] == -5, one
    why = one["anomaly_score_explanation"]
    assert why["anomaly_type"] == "spike", why
    assert why["anomaly_length"] == 1, why
    assert why["single_bucket_impact"] >= 4, why
    assert why["typical_value"] == one["causes"][0]["typical"][0], why
    assert (why["lower_confidence_bound"] < why["typical_value"] <
        why["upper_confidence_bound"] < 4e5), why
    causes = one["causes"]
    assert [c["by_field_value"] for c in causes] == ["web", "mail"], causes
    for cause, least in zip(causes, (4e5, 1e5)):
        assert least <= cause.pop("actual")[0] < 1.1 * least
        assert 50 < cause.pop("typical")[0] < 500
        assert 0 < cause.pop("probability") < 0.05
        del cause["by_field_value"]
        assert cause == {"by_field_name": "app", "function": "high_sum",
            "function_description": "sum", "field_name": "sent",
            "over_field_name": "user", "over_field_value": "user-7"}, cause
    page = d.results("j", "influencers", "?size=1&influencer_score=50")
    assert page["influencers"][0]["user"] == "user-7", page
    return one


def test_who_differs_is_named_with_his_causes():
    """Also when the worker dies in the middle of the bucket before."""
    with Daemon() as d:
        make(d)
        d.post("j", list(records(0, ODD - 1)))
        half = list(records(ODD - 1, ODD))
        d.post("j", half[:30])
        os.kill(d.worker_pid("j"), signal.SIGKILL)
        d.post("j", half[30:])
        d.post("j", list(records(ODD, BUCKETS)))
        d.flush("j")
        one = check(d)
        size = d.stats("j")["model_size_stats"]
        assert size["total_over_field_count"] == 90, size
        assert size["total_by_field_count"] == 3, size
    with Daemon() as d:
        make(d)
        d.post("j", list(records(0, BUCKETS)))
        d.flush("j")
        same = check(d)
        assert one == same, (one, same)
