"""Influencers: who is behind the records of a bucket, as results/influencers
tells it."""

from harness import *

SPAN = 600
START = 1454020200  # the beginning of a bucket
BUCKETS = 600
SPIKE = 550         # in this bucket host "b" departs from its habit


def bucket_ms(n):
    return (START + n * SPAN) * 1000


def path(base=ML):
    return "%s/anomaly_detectors/j/results/influencers" % base


def records(first, last):
    """Three hosts; a user of each, but in the spike it is mallory."""
    for n in range(first, last):
        for m, host in enumerate("abc"):
            value, user = 100 + (n * 7919 + m * 31) % 11, "user-" + host
            if n == SPIKE and host == "b":
                value, user = value * 20, "mallory"
            yield {"time": START + n * SPAN + m, "v": value, "host": host,
                "user": user}


def fill(d):
    d.make_job("j", job(span="10m", partition_field_name="host",
        influencers=["host", "user"]))
    d.post("j", list(records(0, BUCKETS + 1)))
    d.flush("j")


def test_who_did_it_is_first():
    with Daemon() as d:
        fill(d)
        page = d.results("j", "influencers", "?size=2")
        assert list(page) == ["count", "influencers"], page
        assert page["count"] > 2, page
        found = {i["influencer_field_name"]: i for i in page["influencers"]}
        assert set(found) == {"host", "user"}, page
        for name, value in (("host", "b"), ("user", "mallory")):
            one = found[name]
            score = one.pop("influencer_score")
            initial = one.pop("initial_influencer_score")
            assert 50 < score <= initial <= 100, (score, initial)
            assert 0 < one.pop("probability") < 1e-4
            assert one == {"job_id": "j", "result_type": "influencer",
                "influencer_field_name": name, name: value,
                "influencer_field_value": value, "bucket_span": SPAN,
                "is_interim": False, "timestamp": bucket_ms(SPIKE)}, one
        check_options(d)
        check_errors(d)
        check_interim(d)
        check_restart(d)


def check_options(d):
    every = d.results("j", "influencers", "?size=1000")["influencers"]
    scores = [i["influencer_score"] for i in every]
    assert scores == sorted(scores, reverse=True), scores
    limit = scores[1]
    for answer in (d.results("j", "influencers", "?influencer_score=%r"
            % limit), expect(200, d.request("POST", path(), {
            "influencer_score": limit})), expect(200, d.request("GET",
            path(XPACK), {"influencer_score": limit}))):
        assert answer["count"] == 2, answer
    page = expect(200, d.request("POST", path(), {"sort": "timestamp",
        "desc": False, "page": {"from": 1, "size": 3}}))
    assert page["count"] == len(every) and len(page["influencers"]) == 3
    times = [i["timestamp"] for i in page["influencers"]]
    assert times == sorted(times), times
    page = d.results("j", "influencers", "?start=%d&end=%d" % (
        bucket_ms(SPIKE), bucket_ms(SPIKE + 1)))
    assert page["count"] >= 2 and {i["timestamp"] for i in
        page["influencers"]} == {bucket_ms(SPIKE)}, page
    # As clients send it: the page in a body, and the rest beside that.
    page = expect(200, d.request("POST", path()
        + "?sort=timestamp&desc=false&start=%d" % bucket_ms(SPIKE),
        {"page": {"size": 1}}))
    assert page["influencers"][0]["timestamp"] == bucket_ms(SPIKE), page
    page = expect(200, d.request("POST", path() + "?size=1&desc=true",
        {"page": {"size": 2}, "desc": False}))
    assert [i["influencer_score"] for i in page["influencers"]] == (
        sorted(scores)[:2]), page
    # Each is named by a record of its bucket.
    named = {(r["timestamp"], i["influencer_field_name"], v)
        for r in d.results("j", "records", "?size=5000")["records"]
        for i in r["influencers"] for v in i["influencer_field_values"]}
    assert {(i["timestamp"], i["influencer_field_name"],
        i["influencer_field_value"]) for i in every} == named, every


def check_errors(d):
    expect_error(d.get(path() + "?from=-1"), 400,
        "illegal_argument_exception", "Parameter [from] cannot be < 0")
    expect_error(d.get(path() + "?sort=nobody"), 400,
        "illegal_argument_exception",
        "No mapping found for [nobody] in order to sort on")
    expect_error(d.get("%s/anomaly_detectors/k/results/influencers" % ML), 404,
        "resource_not_found_exception", "No known job with id 'k'")
    answer = d.request("POST", path(), {"record_score": 1})
    assert answer.status == 400 and "unknown field [record_score]" in (
        answer.error["reason"]), answer
    assert d.get(path() + "?from=9999&size=2").status == 400
    answer = d.request("POST", path() + "?record_score=1", {"desc": True})
    assert answer.status == 400 and "unrecognized parameter" in (
        answer.error["reason"]), answer


def check_interim(d):
    """High counts are told before their bucket is over, and then replaced."""
    d.make_job("k", job(span="10m", function="high_count", field=None,
        partition_field_name="host", influencers=["host"]))
    posted = list(records(0, 400))
    d.post("k", posted + [{"time": START + 400 * SPAN, "host": "c"}] * 300)
    d.flush("k", "?calc_interim=true")
    page = d.results("k", "influencers", "?start=%d" % bucket_ms(400))
    assert [(i["host"], i["is_interim"]) for i in page["influencers"]] == [
        ("c", True)], page
    page = d.results("k", "influencers", "?exclude_interim=true&start=%d"
        % bucket_ms(400))
    assert page == {"count": 0, "influencers": []}, page
    d.flush("k", "?advance_time=%d" % (START + 402 * SPAN))
    page = d.results("k", "influencers", "?start=%d&end=%d" % (bucket_ms(400),
        bucket_ms(401)))
    assert [(i["host"], i["is_interim"]) for i in page["influencers"]] == [
        ("c", False)], page


def check_restart(d):
    """A death and its replay change nothing."""
    before = d.results("j", "influencers", "?size=1000")
    os.kill(d.worker_pid("j"), signal.SIGKILL)
    d.flush("j")
    assert d.results("j", "influencers", "?size=1000") == before
