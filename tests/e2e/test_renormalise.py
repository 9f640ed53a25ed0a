"""Scores of earlier results follow the history: what was the greatest is less
beside what is greater, and what was said at first stays."""

from harness import *

SPAN = 600
START = 1454020200  # the beginning of a bucket
BUCKETS = 1300
SMALL, GREAT = 1100, 1250


def bucket_ms(n):
    return (START + n * SPAN) * 1000


def records(first, last):
    for n in range(first, last):
        for m, host in enumerate("ab"):
            value = 100 + (n * 7919 + m * 31) % 11
            if host == "b":
                value += {SMALL: 12, GREAT: 90000}.get(n, 0)
            yield {"time": START + n * SPAN + m, "v": value, "host": host}


def fill(d, job_id, disturbed, **more):
    d.make_job(job_id, dict(job(span="10m", partition_field_name="host",
        influencers=["host"]), **more))
    for first in range(0, BUCKETS, 100):
        d.post(job_id, list(records(first, first + 100)))
        if disturbed and first in (300, 1100, 1200):
            os.kill(d.worker_pid(job_id), signal.SIGKILL)
    d.flush(job_id, "?advance_time=%d" % (START + BUCKETS * SPAN))


def at_small(d, job_id, kind):
    page = d.results(job_id, kind, "?start=%d&end=%d" % (bucket_ms(SMALL),
        bucket_ms(SMALL + 1)))
    assert page["count"] >= 1, page
    return page[kind][0]


def everything(d, job_id):
    found = []
    for kind in ("records", "influencers", "buckets"):
        page = d.results(job_id, kind, "?size=10000&sort=timestamp")
        assert page["count"] == len(page[kind])
        for one in page[kind]:
            one.pop("processing_time_ms", None)
            text = json.dumps(one, sort_keys=True)
            found.append(text.replace('"%s"' % job_id, '"job"'))
    return sorted(found)


def test_the_greater_one_lowers_what_was_before():
    with Daemon() as d:
        fill(d, "j", False)
        for kind, score in (("records", "record_score"),
                ("influencers", "influencer_score"),
                ("buckets", "anomaly_score")):
            one = at_small(d, "j", kind)
            assert one["initial_" + score] > 20, one
            assert 0 < one[score] < one["initial_" + score] - 1.5, one
        bucket = at_small(d, "j", "buckets")
        for i in bucket["bucket_influencers"]:
            assert i["anomaly_score"] <= bucket["anomaly_score"], bucket
            assert i["anomaly_score"] < i["initial_anomaly_score"], bucket
        # Filters and orders go by what the score is now.
        record = at_small(d, "j", "records")
        page = d.results("j", "records", "?record_score=%r&size=1000"
            % record["record_score"])
        scores = [r["record_score"] for r in page["records"]]
        assert record in page["records"], page
        assert scores == sorted(scores, reverse=True), scores
        page = d.results("j", "records", "?record_score=%r&size=1000"
            % record["initial_record_score"])
        assert record not in page["records"], page
        # The same, to the last bit, with deaths on the way.
        fill(d, "k", True)
        assert everything(d, "k") == everything(d, "j")
        d.close_job("k")
        d.close_job("j")
        assert everything(d, "k") == everything(d, "j")


def test_the_window_of_the_job_is_kept_to():
    with Daemon() as d:
        fill(d, "j", False, renormalization_window_days=0)
        for kind, score in (("records", "record_score"),
                ("influencers", "influencer_score"),
                ("buckets", "anomaly_score")):
            for one in d.results("j", kind, "?size=10000")[kind]:
                assert one[score] == one["initial_" + score], one
