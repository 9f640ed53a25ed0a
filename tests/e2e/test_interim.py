"""Interim results that nobody has asked for."""

from harness import *
from test_crash_loops import fast, flag, set_flag
from test_quarantine import crashing

HOUR = 3600


def buckets(d, query=""):
    return d.results("j", "buckets", query)["buckets"]


def open_bucket(d, events):
    """The interim bucket, once it has so many events."""
    def found():
        last = buckets(d)[-1:]
        return last and last[0]["is_interim"] and \
            last[0]["event_count"] == events and last[0]
    return wait_until(found, 20, "an interim bucket of %d" % events)


def events_so_far(d):
    """Of each open bucket."""
    return [b["event_count"] for b in buckets(d) if b["is_interim"]]


def test_they_come_go_and_are_replaced():
    with Daemon(interim_interval="1s") as d:
        d.make_job("j", job(function="count", field=None))
        d.post("j", [at(i * HOUR // 10) for i in range(205)])
        first = open_bucket(d, 5)
        d.post("j", [at(20 * HOUR + 3000)] * 200)
        second = open_bucket(d, 205)
        assert second["timestamp"] == first["timestamp"]
        assert second["anomaly_score"] > 10, second
        records = d.results("j", "records")["records"]
        assert [r["is_interim"] for r in records
            if r["timestamp"] == second["timestamp"]] == [True], records
        final = buckets(d, "?exclude_interim=true")
        assert len(final) == 20, final
        assert not any(b["is_interim"] for b in final), final
        d.post("j", [at(21 * HOUR)])
        made = [b for b in buckets(d)
            if b["timestamp"] == second["timestamp"]]
        assert len(made) == 1 and not made[0]["is_interim"], made
        assert made[0]["event_count"] == 205, made
        open_bucket(d, 1)


def test_buckets_within_latency_have_them_all():
    config = job(function="count", field=None)
    config["analysis_config"]["latency"] = "2h"
    with Daemon(interim_interval="1s") as d:
        d.make_job("j", config)
        d.post("j", [at(i * HOUR // 10) for i in range(205)])
        open_bucket(d, 5)
        assert events_so_far(d) == [10, 10, 5]
        # Time goes on without records: what is still open has them again.
        d.flush("j", "?advance_time=%d" % ((T0 + 22 * HOUR) * 1000))
        wait_until(lambda: events_so_far(d) == [5, 0, 0], 20,
            "those of the rest")


def test_none_when_they_are_not_wanted():
    with Daemon(interim_interval="0s") as d:
        d.make_job("j", job(function="count", field=None))
        d.post("j", [at(i * HOUR // 10) for i in range(205)])
        time.sleep(1.5)
        assert not any(b["is_interim"] for b in buckets(d))
        d.flush("j", "?calc_interim=true")
        assert buckets(d)[-1]["is_interim"]


def test_what_kills_twice_is_not_tried_again():
    with crashing() as where, fast(where, interim_interval="1s") as d:
        d.make_job("j", job(function="count", field=None))
        set_flag(d, "abort-at-interim")
        d.post("j", [at(i * HOUR // 10) for i in range(205)])
        wait_until(lambda: "are not made by themselves" in d.log(), 30,
            "a worker that does without")
        os.unlink(flag(d, "abort-at-interim"))
        check_counts(d.post("j", [at(20 * HOUR + 3000)]),
            processed_record_count=1)
        stats = d.stats("j")
        assert stats["state"] == "opened", stats
        assert stats["recovery"]["restarts"] == 2, stats
        check_counts(stats["data_counts"], processed_record_count=206)
        d.close_job("j")
        d.open_job("j")
        d.post("j", [at(20 * HOUR + 3100)])
        open_bucket(d, 7)
