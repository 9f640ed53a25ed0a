"""Reading results: parameters, paging, sorting, errors."""

from harness import *

SPAN = 600
T0 = 1454020200     # the beginning of a bucket
BUCKETS = 300
SPIKE = 250         # in this bucket the series "b" departs from its habit


def path(rest, base=ML, job_id="j"):
    return "%s/anomaly_detectors/%s/results/%s" % (base, job_id, rest)


def bucket_ms(n):
    return (T0 + n * SPAN) * 1000


def fill(d):
    """A job with two steady series and one spike."""
    d.make_job("j", job(span="10m", by_field_name="k", influencers=["k"]))
    records = []
    for n in range(BUCKETS + 1):
        for m, name in enumerate("ab"):
            value = 100 + (n * 7919 + m * 31) % 11
            if n == SPIKE and name == "b":
                value *= 20
            records.append({"time": T0 + n * SPAN + 60 * m, "v": value,
                "k": name})
    d.post("j", records)
    d.flush("j")


def filled(test):
    """Run a test with a daemon that has the job."""
    def run():
        with Daemon() as d:
            fill(d)
            test(d)
    run.__name__ = test.__name__
    return run


@filled
def test_buckets_have_all_their_members(d):
    page = d.results("j", "buckets", "?size=1")
    assert list(page) == ["count", "buckets"] and page["count"] == BUCKETS
    bucket = page["buckets"][0]
    assert isinstance(bucket.pop("processing_time_ms"), int)
    assert bucket == {"job_id": "j", "timestamp": bucket_ms(0),
        "anomaly_score": 0, "bucket_span": SPAN, "initial_anomaly_score": 0,
        "event_count": 2, "is_interim": False, "bucket_influencers": [],
        "result_type": "bucket"}, bucket


@filled
def test_buckets_page_through_time(d):
    assert len(d.results("j", "buckets")["buckets"]) == 100
    seen = []
    for start in range(0, BUCKETS + 50, 70):
        page = d.results("j", "buckets", "?from=%d&size=70" % start)
        assert page["count"] == BUCKETS, page["count"]
        seen += [b["timestamp"] for b in page["buckets"]]
    assert seen == [bucket_ms(n) for n in range(BUCKETS)]
    page = d.results("j", "buckets", "?size=0")
    assert page == {"count": BUCKETS, "buckets": []}, page
    page = d.results("j", "buckets", "?desc=true&size=2")
    assert [b["timestamp"] for b in page["buckets"]] == [
        bucket_ms(BUCKETS - 1), bucket_ms(BUCKETS - 2)], page


@filled
def test_range_includes_its_start_and_not_its_end(d):
    iso = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(T0 + 3 * SPAN))
    for query in ("?start=%d&end=%d" % (bucket_ms(3), bucket_ms(5)),
            "?start=%s&end=%d" % (iso, bucket_ms(5))):
        page = d.results("j", "buckets", query)
        assert [b["timestamp"] for b in page["buckets"]] == [bucket_ms(3),
            bucket_ms(4)], page
    body = {"start": str(bucket_ms(3)), "end": bucket_ms(5)}
    for method in ("GET", "POST"):
        page = expect(200, d.request(method, path("buckets"), body))
        assert page["count"] == 2, page


@filled
def test_one_bucket_by_its_time(d):
    for base in (ML, XPACK):
        page = expect(200, d.get(path("buckets/%d" % bucket_ms(7), base)))
        assert page["count"] == 1, page
        assert page["buckets"][0]["timestamp"] == bucket_ms(7), page
    page = expect(200, d.request("POST", path("buckets"), {
        "timestamp": str(bucket_ms(7))}))
    assert page["count"] == 1, page
    expect_error(d.get(path("buckets/%d" % (bucket_ms(7) + 1000))), 404,
        "resource_not_found_exception", "Could not find requested buckets")


@filled
def test_spike_is_first_by_score_in_both(d):
    top = d.results("j", "buckets",
        "?sort=anomaly_score&desc=true&size=1")["buckets"][0]
    assert top["timestamp"] == bucket_ms(SPIKE), top
    names = {i["influencer_field_name"]: i for i in
        top["bucket_influencers"]}
    assert "bucket_time" in names, top
    assert top["anomaly_score"] == max(i["anomaly_score"] for i in
        names.values()), top
    record = d.results("j", "records")["records"][0]
    assert record["timestamp"] == bucket_ms(SPIKE), record
    assert record["by_field_value"] == "b" and record["k"] == ["b"], record
    assert record["function"] == record["function_description"] == "mean"
    assert record["actual"][0] > 10 * record["typical"][0], record
    assert 0 < record["probability"] < 1e-4, record
    why = record["anomaly_score_explanation"]
    assert why["anomaly_type"] == "spike" and why["anomaly_length"] == 1, why
    assert why["single_bucket_impact"] >= 3, why
    assert (why["lower_confidence_bound"] < why["typical_value"]
        < why["upper_confidence_bound"] < record["actual"][0]), why
    assert why["typical_value"] == record["typical"][0], why
    assert record["influencers"] == [{"influencer_field_name": "k",
        "influencer_field_values": ["b"]}], record


@filled
def test_score_filters(d):
    every = d.results("j", "records", "?size=1000")["records"]
    top = max(r["record_score"] for r in every)
    for limit in (top / 2, top):
        page = d.results("j", "records", "?record_score=%r" % limit)
        want = [r for r in every if r["record_score"] >= limit]
        assert page["count"] == len(want) > 0, (limit, page)
        assert all(r["record_score"] >= limit for r in page["records"])
    scores = [b["anomaly_score"] for b in d.results("j", "buckets",
        "?size=1000")["buckets"]]
    for limit in (0, max(scores)):
        page = d.results("j", "buckets", "?anomaly_score=%r" % limit)
        assert page["count"] == sum(s >= limit for s in scores), page


@filled
def test_records_sort_by_any_field(d):
    every = d.results("j", "records", "?size=1000")["records"]
    scores = [r["record_score"] for r in every]
    assert scores == sorted(scores, reverse=True), "falling is the default"
    for field in ("timestamp", "probability", "record_score"):
        for desc in ("true", "false"):
            page = d.results("j", "records",
                "?size=1000&sort=%s&desc=%s" % (field, desc))
            values = [r[field] for r in page["records"]]
            assert values == sorted(values, reverse=desc == "true"), field


@filled
def test_expand_adds_records_to_buckets(d):
    page = expect(200, d.get(path("buckets/%d?expand=true" %
        bucket_ms(SPIKE))))
    records = page["buckets"][0]["records"]
    assert records and records[0]["by_field_value"] == "b", page
    assert [r["probability"] for r in records] == sorted(r["probability"]
        for r in records)
    page = d.results("j", "buckets", "?expand=true&size=1")
    assert "records" not in page["buckets"][0], page


@filled
def test_body_options_page_and_sort(d):
    page = expect(200, d.request("POST", path("buckets"), {"sort":
        "anomaly_score", "desc": True, "page": {"from": 0, "size": 3},
        "exclude_interim": True, "start": None}))
    assert len(page["buckets"]) == 3, page
    assert page["buckets"][0]["timestamp"] == bucket_ms(SPIKE), page
    response = d.request("POST", path("buckets"), {"size": 3})
    assert response.status == 400, response
    assert "unknown field [size]" in response.error["reason"], response


BAD_QUERIES = (
    # what is asked for, and the reason for which it is refused
    ("buckets?from=-1", "Parameter [from] cannot be < 0"),
    ("records?size=-1", "Parameter [size] cannot be < 0"),
    ("buckets?start=x", "Query param [start] with value [x] cannot be parsed "
        "as a date or converted to a number (epoch)."),
    ("buckets?bogus=1", "request [/_ml/anomaly_detectors/j/results/buckets] "
        "contains unrecognized parameter: [bogus]"),
    ("records?sort=nonsense",
        "No mapping found for [nonsense] in order to sort on"),
    ("buckets?exclude_interim=2",
        "Failed to parse value [2] as only [true] or [false] are allowed."),
)


@filled
def test_bad_queries_are_refused_with_their_reason(d):
    for query, reason in BAD_QUERIES:
        response = d.get(path(query))
        assert response.status == 400, (query, response)
        assert response.error["reason"] == reason, (query, response)
    response = d.get(path("records?from=9999&size=2"))
    assert response.status == 400, response
    assert response.error["reason"].startswith("Result window is too large, "
        "from + size must be less than or equal to: [10000] but was "
        "[10001]"), response
    response = d.get(path("buckets/%d?start=1" % bucket_ms(0)))
    assert response.status == 400, response
    assert "is incompatible with" in response.error["reason"], response


def test_results_of_an_unknown_job():
    with Daemon() as d:
        for kind in ("buckets", "records", "buckets/1"):
            expect_error(d.get(path(kind)), 404,
                "resource_not_found_exception", "No known job with id 'j'")
        d.put_job("j", job())
        assert d.results("j", "buckets") == {"count": 0, "buckets": []}
        assert d.results("j", "records") == {"count": 0, "records": []}


@filled
def test_results_are_the_same_closed_and_after_a_restart(d):
    before = d.results("j", "buckets", "?size=1000")
    records = d.results("j", "records", "?size=1000")
    d.close_job("j")
    assert d.results("j", "records", "?size=1000")["count"] == \
        records["count"]
    d.restart()
    after = d.results("j", "buckets", "?size=1000")
    assert [b["timestamp"] for b in after["buckets"]] == [b["timestamp"]
        for b in before["buckets"]]


@filled
def test_human_pretty_and_filter_path_work_on_results(d):
    got = d.get(path("buckets?size=1&human=true"
        "&filter_path=buckets.timestamp*")).json
    assert got == {"buckets": [{"timestamp_string": time.strftime(
        "%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(T0)),
        "timestamp": bucket_ms(0)}]}, got
    text = d.get(path("buckets?size=1&pretty")).body.decode()
    assert text.startswith('{\n  "count" : 300,\n  "buckets" : [\n'), text


def test_event_counts_and_empty_buckets():
    with Daemon() as d:
        d.make_job("j", job(span="1m", function="count", field=None))
        base = 1403481600
        d.post("j", [{"time": base + s} for s in (0, 1, 59, 180, 181, 300)])
        d.flush("j")
        page = d.results("j", "buckets")
        assert [b["event_count"] for b in page["buckets"]] == [3, 0, 0, 2,
            0], page


def test_functions_reduce_a_bucket_as_they_say():
    """The actual value of an anomalous bucket tells the function's value."""
    cases = (("mean", 4000), ("sum", 12000), ("min", 1000), ("max", 7000),
        ("count", 3))
    values = (1000, 4000, 7000)
    with Daemon() as d:
        for function, want in cases:
            field = None if function == "count" else "v"
            low = function == "min"
            d.make_job(function, job(span="1m", function=function,
                field=field))
            records = []
            for n in range(200):
                for i in range(40 if function == "count" else 3):
                    v = (n * 37 + i * 11) % 10 + (90000 if low else 1)
                    records.append({"time": T0 + n * 60 + i, "v": v})
            records += [{"time": T0 + 200 * 60 + i, "v": v}
                for i, v in enumerate(values)]
            records.append({"time": T0 + 201 * 60, "v": 1})
            d.post(function, records)
            d.flush(function)
            page = d.results(function, "records")
            top = page["records"][0]
            assert top["timestamp"] == (T0 + 200 * 60) * 1000, (function,
                top)
            assert abs(top["actual"][0] - want) < 1e-9 * want, (function,
                top)
