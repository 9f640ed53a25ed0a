"""Overall buckets, checked against a slow computation from the buckets."""

import glob
import math
import threading

from harness import *
from secure import SecureDaemon

T0 = 1454025600     # a day's beginning
DAY = 86400
SPANS = {"sixty": ("60m", 3600), "thirty": ("30m", 1800),
    "seventeen": ("17m", 1020)}


def path(job_id, query="", base=ML):
    return "%s/anomaly_detectors/%s/results/overall_buckets%s" % (base,
        job_id, query)


def overall(d, job_id="_all", query="", body=None):
    if body is not None:
        return expect(200, d.request("POST", path(job_id, query), body))
    return expect(200, d.get(path(job_id, query)))


def records(seed, span, days=4):
    """A steady series, with spikes of several heights at odd places."""
    out = []
    for n in range(days * DAY // span):
        value = 100 + (n * 7919 + seed * 31) % 11
        if n > 40 and (n * 31 + seed * 17) % 29 == 0:
            value *= 2 + (n + seed) % 9
        out.append({"time": T0 + n * span + seed * 7 % 60, "v": value})
    return out


def fill(d):
    """Three jobs with buckets of different lengths, not in step."""
    for seed, (name, (text, span)) in enumerate(sorted(SPANS.items())):
        config = job(span=text)
        config["groups"] = ["times"] if name != "sixty" else ["long", "times"]
        d.make_job(name, config)
        d.post(name, records(seed, span))
        d.flush(name, "?calc_interim=true")


def filled(test):
    def run():
        with Daemon() as d:
            fill(d)
            test(d)
    run.__name__ = test.__name__
    return run


def buckets(d, job_id):
    got = d.results(job_id, "buckets", "?size=10000")
    assert got["count"] == len(got["buckets"])
    return got["buckets"]


def slow(d, names, top_n=1, span=None, least=0, interim=True, start=None,
        end=None):
    """What the answer has to be, computed by the letter of the reference."""
    longest = max(SPANS[name][1] for name in names)
    window = longest
    if span is not None and (top_n == 1 or len(names) == 1):
        window = span
    ms = window * 1000
    if start is not None:
        start = -(-start // ms) * ms
    if end is not None:
        end = end // ms * ms
    windows = {}
    for name in names:
        for b in buckets(d, name):
            t = b["timestamp"]
            if (start is not None and t < start) or (end is not None
                    and t >= end) or (b["is_interim"] and not interim):
                continue
            w = windows.setdefault(t // ms * ms, ({}, []))
            w[0][name] = max(w[0].get(name, 0), b["anomaly_score"])
            w[1].append(b["is_interim"])
    groups = {}
    length = span or longest
    for t, (scores, flags) in sorted(windows.items()):
        top = sorted(scores.values(), reverse=True)[:top_n]
        mean = sum(top) / len(top)
        if mean < least:
            continue
        g = groups.setdefault(t // (length * 1000) * length * 1000,
            [0, {}, False])
        g[0] = max(g[0], mean)
        for name, score in scores.items():
            g[1][name] = max(g[1].get(name, 0), score)
        g[2] = g[2] or any(flags)
    return [{"timestamp": t, "bucket_span": length, "overall_score": g[0],
        "jobs": [{"job_id": name, "max_anomaly_score": g[1][name]}
            for name in sorted(g[1])],
        "is_interim": g[2], "result_type": "overall_bucket"}
        for t, g in sorted(groups.items())]


def same(got, want, what=""):
    assert got["count"] == len(got["overall_buckets"]) == len(want), (what,
        got["count"], len(want))
    for g, w in zip(got["overall_buckets"], want):
        assert list(g) == list(w), (what, g, w)
        assert math.isclose(g["overall_score"], w["overall_score"],
            rel_tol=1e-12, abs_tol=1e-12), (what, g, w)
        assert dict(g, overall_score=0) == dict(w, overall_score=0), (what,
            g, w)


@filled
def test_overall_buckets_are_what_a_slow_computation_gives(d):
    names = sorted(SPANS)
    for top_n in (1, 2, 3, 333):
        for span in (None, 3600, 7200, 5400, DAY):
            for least in (0, 3.5):
                query = "?top_n=%d&overall_score=%r" % (top_n, least)
                if span is not None:
                    query += "&bucket_span=%ds" % span
                want = slow(d, names, top_n, span, least)
                assert want, query
                same(overall(d, "_all", query), want, query)
    everything = overall(d, "_all", "?top_n=3")["overall_buckets"]
    assert any(len({j["max_anomaly_score"] for j in b["jobs"]}) == 3
        for b in everything), "there is nothing to tell a mean by"
    assert everything[-1]["is_interim"], everything[-1]


@filled
def test_expressions_choose_the_jobs(d):
    for expression, names in (("sixty", ["sixty"]),
            ("sixty,thirty", ["sixty", "thirty"]),
            ("s*", ["seventeen", "sixty"]), ("times", sorted(SPANS)),
            ("long,seventeen", ["seventeen", "sixty"]),
            ("*", sorted(SPANS)), ("thirty,thirty", ["thirty"])):
        same(overall(d, expression, "?top_n=2"), slow(d, names, 2),
            expression)
    # One job: the bucket span is the one that is asked for, whatever top_n.
    same(overall(d, "thirty", "?top_n=2&bucket_span=90m"),
        slow(d, ["thirty"], 2, 5400))


@filled
def test_range_is_aligned_inwards_and_interim_is_left_out(d):
    names = sorted(SPANS)
    # 01:10 to 20:50 becomes 02:00 to 20:00.
    start, end = (T0 + 4200) * 1000, (T0 + 75000) * 1000
    want = slow(d, names, start=start, end=end)
    assert want[0]["timestamp"] == (T0 + 7200) * 1000, want[0]
    assert want[-1]["timestamp"] == (T0 + 68400) * 1000, want[-1]
    iso = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(T0 + 4200))
    same(overall(d, "_all", "?start=%s&end=%d" % (iso, end)), want)
    same(overall(d, "_all", body={"start": iso, "end": str(end)}), want)
    same(overall(d, "_all", "?start=%s%%7C%%7C%%2B1h&end=%d" % (iso, end)),
        slow(d, names, start=start + 3600000, end=end))
    same(overall(d, "_all", "?exclude_interim=true"),
        slow(d, names, interim=False))
    nothing = {"count": 0, "overall_buckets": []}
    assert overall(d, "_all", "?start=now-1d") == nothing
    assert overall(d, "_all", "?end=1000") == nothing
    assert overall(d, "_all", "?start=%d&end=%d" % (end, start)) == nothing


@filled
def test_body_and_query_on_both_bases_give_the_same(d):
    want = overall(d, "_all", "?top_n=2&bucket_span=2h&overall_score=1"
        "&exclude_interim=true")
    body = {"top_n": 2, "bucket_span": "2h", "overall_score": 1,
        "exclude_interim": True, "allow_no_match": True}
    assert want["count"] > 0
    for base in (ML, XPACK):
        for method in ("GET", "POST"):
            got = expect(200, d.request(method, path("_all", "", base), body))
            assert got == want, (base, method)
            got = expect(200, d.request(method, path("_all", "?top_n=2"
                "&bucket_span=2h&overall_score=1&exclude_interim", base)))
            assert got == want, (base, method)
    response = d.request("POST", path("_all", "?top_n=2"), {"top_n": 2})
    assert response.status == 400, response
    assert "contains unrecognized parameter: [top_n]" in \
        response.error["reason"], response


@filled
def test_open_and_closed_jobs_and_restarts_give_the_same(d):
    query = "?top_n=2&exclude_interim=true"
    want = overall(d, "_all", query)
    d.close_job("sixty")
    assert overall(d, "_all", query) == want
    d.close_job("_all")
    assert overall(d, "_all", query) == want
    d.restart()
    assert overall(d, "_all", query) == want
    d.open_job("thirty")
    assert overall(d, "_all", query) == want
    d.delete_job("sixty")
    same(overall(d, "_all", query), slow(d, ["seventeen", "thirty"], 2,
        interim=False))


BAD_QUERIES = (
    # query, status, type, reason
    ("?top_n=0", 400, "illegal_argument_exception",
        "[topN] parameter must be positive, found [0]"),
    ("?top_n=-7", 400, "illegal_argument_exception",
        "[topN] parameter must be positive, found [-7]"),
    ("?top_n=two", 400, "illegal_argument_exception",
        "Failed to parse int parameter [top_n] with value [two]"),
    ("?bucket_span=3599s", 400, "status_exception", "Param [bucket_span] must "
        "be greater or equal to the max bucket_span [60m]"),
    ("?bucket_span=0", 400, "status_exception", "Param [bucket_span] must "
        "be greater or equal to the max bucket_span [60m]"),
    ("?bucket_span=3600500ms", 400, "illegal_argument_exception",
        "bucket_span has to be a multiple of 1s; actual was '3600500ms'"),
    ("?start=x", 400, "parse_exception", "Query param [start] with value [x] "
        "cannot be parsed as a date or converted to a number (epoch)."),
    ("?end=tomorrow", 400, "parse_exception", "Query param [end] with value "
        "[tomorrow] cannot be parsed as a date or converted to a number "
        "(epoch)."),
    ("?overall_score=NaN", 400, "illegal_argument_exception",
        "Failed to parse double parameter [overall_score] with value [NaN]"),
    ("?exclude_interim=2", 400, "illegal_argument_exception",
        "Failed to parse value [2] as only [true] or [false] are allowed."),
    ("?size=3", 400, "illegal_argument_exception", "request [/_ml/"
        "anomaly_detectors/_all/results/overall_buckets] contains "
        "unrecognized parameter: [size]"),
)


@filled
def test_bad_queries_are_refused_with_their_reason(d):
    for query, status, kind, reason in BAD_QUERIES:
        expect_error(d.get(path("_all", query)), status, kind, reason)
    for body, reason in (({"bucket_span": 3600}, "bucket_span doesn't support "
            "values of type: VALUE_NUMBER"), ({"topn": 1}, "unknown field "
            "[topn] did you mean [top_n]?"), ({"page": {"size": 1}},
            "unknown field [page]"), ({"start": None}, "start doesn't support "
            "values of type: VALUE_NULL"), ({"top_n": 0},
            "[topN] parameter must be positive, found [0]")):
        response = d.request("POST", path("_all"), body)
        assert response.status == 400, (body, response)
        assert reason in response.error["reason"], (body, response)
    for method in ("PUT", "DELETE"):
        assert d.request(method, path("_all")).status == 405, method


def test_jobs_that_are_not_there():
    nothing = {"count": 0, "overall_buckets": []}
    with Daemon() as d:
        assert overall(d) == nothing
        assert overall(d, "no-*") == nothing
        assert overall(d, "no-*", "?bucket_span=1ms") == nothing
        for query in ("?allow_no_match=false", "?allow_no_jobs=false"):
            expect_error(d.get(path("no-*", query)), 404,
                "resource_not_found_exception",
                "No known job with id 'no-*'")
        for name in ("allow_no_match", "allow_no_jobs"):
            response = d.request("POST", path("no-*"), {name: False})
            assert response.status == 404, response
        d.put_job("new", job())
        assert overall(d) == nothing, "it has no results yet"
        expect_error(d.get(path("new,old")), 404,
            "resource_not_found_exception", "No known job with id 'old'")


def test_a_key_for_some_jobs_sees_no_others():
    with SecureDaemon() as d:
        for name in ("web-1", "web-2", "db-1"):
            d.make_job(name, job())
            d.post(name, [at(0, v=1), at(7200, v=1)])
            d.close_job(name)

        def names(expression, headers=None):
            page = expect(200, d.get(path(expression), headers=headers))
            return {j["job_id"] for b in page["overall_buckets"]
                for j in b["jobs"]}
        assert names("_all") == {"web-1", "web-2", "db-1"}
        web = d.key_with(jobs=["web-*"], privileges=["monitor_ml"])
        assert names("_all", web) == {"web-1", "web-2"}
        assert names("*1", web) == {"web-1"}
        for expression in ("db-1", "web-1,db-1", "nothing"):
            response = d.get(path(expression), headers=web)
            assert response.status == 403, (expression, response)
            assert response.error["type"] == "security_exception", response
        assert names("db-*", web) == set()
        assert d.get(path("_all"), headers={}).status == 401
        reader = d.key_with("manage_own_api_key")
        assert d.get(path("_all"), headers=reader).status == 403


def test_a_long_answer_has_a_limit_and_a_cure():
    with Daemon() as d:
        d.make_job("j", job(span="1s", function="count", field=None))
        d.post("j", [{"time": T0}, {"time": T0 + 10001}])
        d.flush("j")
        expect_error(d.get(path("j")), 400, "status_exception",
            "Unable to return more than [10000] results; please use "
            "parameters [start] and [end] to limit the time range")
        assert overall(d, "j", "?start=%d" % ((T0 + 1) * 1000))["count"] == \
            10000
        assert overall(d, "j", "?bucket_span=2s")["count"] == 5001
        assert overall(d, "j", "?overall_score=0.5")["count"] == 0


@filled
def test_pretty_human_filter_path_and_yaml_work(d):
    got = d.get(path("sixty", "?human=true&filter_path="
        "overall_buckets.timestamp*,overall_buckets.jobs.job_id"
        "&end=%d" % ((T0 + 3600) * 1000))).json
    assert got == {"overall_buckets": [{"timestamp_string": time.strftime(
        "%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(T0)), "timestamp": T0 * 1000,
        "jobs": [{"job_id": "sixty"}]}]}, got
    text = d.get(path("sixty", "?pretty")).body.decode()
    assert text.startswith('{\n  "count" : 96,\n  "overall_buckets" : [\n'), \
        text[:200]
    text = d.get(path("sixty", "?format=yaml")).body.decode()
    assert text.startswith("---\ncount: 96\noverall_buckets:\n"), text[:200]


def results_file(d, job_id):
    [found] = glob.glob(os.path.join(d.state_dir, "jobs", job_id + ".*",
        "results", "results.db"))
    return found


@filled
def test_damage_of_one_job_is_told_of_that_job(d):
    """Of the others nothing is said, and close and open is the cure."""
    d.close_job("_all")
    with open(results_file(d, "sixty"), "r+b") as f:
        f.truncate(os.path.getsize(f.name) // 2 // 4096 * 4096)
    response = d.get(path("_all"))
    assert response.status == 500, response
    reason = response.error["reason"]
    assert reason.startswith("the results of job [sixty] are damaged: "), \
        reason
    assert reason.endswith("close and open the job: rows that can be read "
        "are kept"), reason
    for name in SPANS:
        told = d.stats(name).get("recovery", {}).get("results_damaged")
        assert told is (True if name == "sixty" else None), (name, told)
    same(overall(d, "seventeen,thirty"), slow(d, ["seventeen", "thirty"]))
    d.open_job("sixty")
    same(overall(d), slow(d, sorted(SPANS)))


def test_jobs_that_come_and_go_meanwhile():
    """Every answer is whole, of jobs that were there when it was asked."""
    with Daemon() as d:
        for n in range(4):
            d.make_job("steady-%d" % n, job(span="1h"))
            d.post("steady-%d" % n, records(n, 3600))
            d.close_job("steady-%d" % n)
        done = threading.Event()

        def change():
            try:
                for n in range(12):
                    d.make_job("passing", job(span="1h"))
                    d.post("passing", records(9, 3600, 2))
                    d.flush("passing")
                    d.delete_job("passing", query="?force=true")
            finally:
                done.set()
        result = in_background(change)
        seen = set()
        while not done.is_set():
            got = overall(d, "_all", "?top_n=5")
            assert got["count"] in (95, 96), got["count"]
            for bucket in got["overall_buckets"]:
                names = [j["job_id"] for j in bucket["jobs"]]
                seen.update(names)
                assert [n for n in names if n != "passing"] == [
                    "steady-%d" % n for n in range(4)], names
        result()
        assert seen >= {"steady-%d" % n for n in range(4)}, seen


def test_a_client_that_does_not_read_holds_nothing_up():
    with Daemon(max_query_processes=2) as d:
        for n in range(2):
            d.make_job("j%d" % n, job(span="1s", function="count",
                field=None))
            d.post("j%d" % n, [{"time": T0}, {"time": T0 + 9000}])
            d.flush("j%d" % n)
        idle = d.resident_kb()
        with d.socket() as s:
            s.sendall(("GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path(
                "_all")).encode())
            for _ in range(10):
                assert overall(d)["count"] == 9000
            # Sanitizers keep what is freed for a while.
            grown = d.resident_kb() - idle
            assert grown < 20000 * SCALE, grown
            # It is all there for whoever reads it in the end.
            head = b""
            while b"\r\n\r\n" not in head:
                head += s.recv(1)
            assert head.startswith(b"HTTP/1.1 200 "), head
            text = b""
            while not text.rstrip().endswith(b"]}") and b"\r\n0\r\n" not in \
                    text:
                text += s.recv(65536)
        assert b'"count":9000' in text[:200], text[:200]
