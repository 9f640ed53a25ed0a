"""What every path answers: refusals, bodies in the query, GET /, warnings."""

from harness import *

WARNING = re.compile(r'299 Elasticsearch-(\S+)-([0-9a-f]{40}) "(.*)"')
ONE = '{"time":0,"v":1}\n'


def path(job_id, rest="", base=ML):
    return "%s/anomaly_detectors/%s%s" % (base, job_id, rest)


def quoted(text):
    """As a value in a query string."""
    return "".join("%%%02x" % b for b in text.encode())


def source(text, kind="application/json"):
    return "source=%s&source_content_type=%s" % (quoted(text), quoted(kind))


# ---- the router

def test_unknown_path_is_refused_as_text():
    with Daemon() as d:
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS",
                "PATCH"):
            for where in ("/absent", "/_ml", "/_ml/absent?a=b%20c&d",
                    "/_ml/anomaly_detectors/j/results", "/" + "x" * 5000):
                answer = d.request(method, where)
                assert answer.status == 400, (method, where, answer)
                if method != "HEAD":
                    assert answer.json == {"error": "no handler found for "
                        "uri [%s] and method [%s]" % (where, method)}, answer
                assert answer.headers["x-elastic-product"] == "Elasticsearch"


def test_wrong_method_is_told_the_right_ones():
    with Daemon() as d:
        for method, where, allowed in (
                ("POST", "/", "GET,HEAD"),
                ("PATCH", path("j", "?pretty=false"), "GET,HEAD,PUT,DELETE"),
                ("GET", path("j", "/_open"), "POST"),
                ("DELETE", path("j", "/_data", XPACK), "POST"),
                ("PUT", path("_stats"), "GET,HEAD"),
                ("PUT", path("j", "/results/buckets"), "GET,HEAD,POST")):
            answer = d.request(method, where)
            assert answer.status == 405, (method, where, answer)
            assert answer.json == {"error": "Incorrect HTTP method for uri "
                "[%s] and method [%s], allowed: [%s]" % (where, method,
                allowed.replace(",", ", ")), "status": 405}, answer
            assert list(answer.json) == ["error", "status"], answer
            assert answer.headers["allow"] == allowed, answer.headers
            answer = d.request("OPTIONS", where)
            assert answer.status == 200 and answer.body == b"", answer
            assert answer.headers["allow"] == allowed, answer.headers
            assert answer.headers["x-elastic-product"] == "Elasticsearch"


def test_unknown_parameters_are_refused_with_the_near_miss():
    text = "request [%s] contains unrecognized parameter"
    with Daemon() as d:
        d.put_job("j", job())
        for method, where, query, rest in (
                ("GET", "/", "a", ": [a]"),
                ("GET", ML + "/info", "prety", ": [prety] -> did you mean "
                    "[pretty]?"),
                ("GET", path("j"), "x=1&y=2", "s: [x], [y]"),
                ("POST", path("j", "/_close"), "forse=1&q", "s: [forse] -> "
                    "did you mean [force]?, [q]"),
                ("POST", path("j", "/_data"), "reset_begin=1", ": "
                    "[reset_begin] -> did you mean [reset_end]?"),
                ("GET", path("j", "/results/buckets"), "job_id=j",
                    ": [job_id]")):
            answer = d.request(method, where + "?" + query)
            expect_error(answer, 400, "illegal_argument_exception",
                text % where + rest)


def test_body_over_the_limit_is_an_error_in_json():
    with Daemon(max_body_size="1kb") as d:
        d.make_job("j", job())
        for method, where in (("POST", path("j", "/_data")),
                ("PUT", path("k"))):
            answer = d.request(method, where, "x" * 2000)
            assert answer.status == 413 and answer.json["status"] == 413
            error = answer.error
            assert error["type"] == "status_exception", answer
            assert error["reason"] == ("the body is too large: [at most "
                "1024 bytes, the configuration key max_body_size]"), answer
            assert error["root_cause"] == [{"type": error["type"],
                "reason": error["reason"]}], answer
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["x-elastic-product"] == "Elasticsearch"
    with Daemon() as d:
        answer = d.request("PUT", path("k"), b" " * 300000)
        assert answer.status == 413 and answer.error["reason"], answer


# ---- bodies that are JSON, and those that are not

def expect_chain(answer, *reasons):
    """Status 400 and the reasons of the whole chain, outermost first."""
    assert answer.status == 400, answer
    error, got = answer.error, []
    while error:
        got.append((error["type"], error["reason"]))
        error = error.get("caused_by")
    assert got == list(reasons), got


def test_faults_of_bodies_say_where_they_are():
    parse = "x_content_parse_exception"
    close = "cluster:admin/xpack/ml/job/close"
    with Daemon() as d:
        d.put_job("j", job())
        put = lambda body, base=ML: d.request("PUT", path("k", base=base),
            body)
        expect_chain(put('{\n "analysis_confog":{}}'), (parse, "[2:2] "
            "[job_details] unknown field [analysis_confog] did you mean any "
            "of [analysis_config, analysis_limits]?"))
        expect_chain(put('{"zzz":1}'), (parse,
            "[1:2] [job_details] unknown field [zzz]"))
        expect_chain(put('{"zzz":1}', XPACK), (parse,
            "[1:2] [job_details] unknown field [zzz], parser not found"))
        expect_chain(put('{"description":{}}'), (parse, "[1:16] "
            "[job_details] description doesn't support values of type: "
            "START_OBJECT"))
        expect_chain(put('{"analysis_config":{"detectors":[{"function":[]}]}}'
            ), (parse, "[1:46] [job_details] failed to parse field "
            "[analysis_config]"), (parse, "[1:46] [analysis_config] failed "
            "to parse field [detectors]"), (parse, "[1:46] [detector] "
            "function doesn't support values of type: START_ARRAY"))
        for body, reason in (
                ('{"groups":["a"}', "[1:15] Unexpected character (code 125): "
                    "expected ',' or ']'"),
                ('{"a":1', "[1:7] Unexpected end of input: expected ',' or "
                    "'}'")):
            expect_chain(put(body), (parse, reason))
            expect_chain(d.request("POST", path("j", "/_close"), body),
                (parse, reason))
            expect_chain(d.request("POST", path("j", "/_close", XPACK), body),
                ("json_parse_exception", reason))
        expect_chain(d.request("POST", path("j", "/_close"),
            '{ "forc":true}'), (parse, "[1:3] [%s] unknown field [forc] did "
            "you mean [force]?" % close))
        expect_chain(d.request("POST", path("j", "/_close"),
            '{"force":[]}'), (parse, "[1:10] [%s] force doesn't support "
            "values of type: START_ARRAY" % close))
        for answer in (put(None), put(""), d.request("PUT", path("k",
                "?" + source("")))):
            expect_error(answer, 400, "parse_exception",
                "request body is required")


def test_small_bodies_may_come_in_the_query():
    with Daemon() as d:
        got = expect(200, d.request("PUT", path("j", "?" + source(
            json.dumps(job())))))
        assert got["analysis_config"]["bucket_span"] == "1h", got
        d.open_job("j")
        for kind in ("application/json", "application/x-ndjson", "text/plain",
                "application/json; charset=UTF-8",
                "application/vnd.elasticsearch+json;compatible-with=8"):
            got = expect(202, d.request("POST", path("j", "/_data?" + source(
                ONE, kind))))
            check_counts(got, input_record_count=1, processed_record_count=1,
                input_bytes=len(ONE))
        # What Content-Encoding says is said of a body, and there is none.
        expect(202, d.request("POST", path("j", "/_data?" + source(ONE)), None,
            {"Content-Encoding": "gzip"}))
        check_counts(d.stats("j")["data_counts"], processed_record_count=6)
        got = expect(200, d.get(path("j", "/results/buckets?" + source(
            '{"page":{"size":1}}'))))
        assert got["count"] == 0, got
        expect(200, d.request("POST", path("j", "/_close?" + source(
            '{"force":false}'))))


def test_body_in_the_query_needs_its_type_and_no_other_body():
    kinds = "[application/json]"
    with Daemon() as d:
        d.make_job("j", job())
        for method, where, wanted in (("PUT", path("k"), kinds),
                ("POST", path("j", "/_flush"), kinds),
                ("POST", path("j", "/_data"),
                    kinds + " or [application/x-ndjson]")):
            expect_error(d.request(method, where + "?source=%7b%7d"), 400,
                "illegal_argument_exception",
                "source and source_content_type parameters are required")
            for kind in ("application/yaml", "application/smile", "csv", ""):
                expect_error(d.request(method, where + "?" + source("{}",
                    kind)), 400, "illegal_argument_exception", "Unknown value "
                    "for source_content_type [%s]; %s is wanted" % (kind,
                    wanted))
            expect_error(d.request(method, where + "?" + source("{}"), "{}"),
                400, "illegal_argument_exception", "request [%s] has both a "
                "body and the parameter [source]; send one of them" % where)
        assert d.get(path("k")).status == 404
        check_counts(d.stats("j")["data_counts"], input_record_count=0)


# ---- what the server says of itself

def test_root_names_what_clients_look_at():
    with Daemon(cluster_name="farm-7") as d:
        got = expect(200, d.get("/"))
        assert list(got) == ["name", "cluster_name", "cluster_uuid", "version",
            "tagline"], got
        assert got["cluster_name"] == "farm-7", got
        assert re.fullmatch(r"[\w-]{22}", got["cluster_uuid"]), got
        assert got["tagline"] == "You Know, for Search", got
        version = got["version"]
        assert list(version) == ["number", "build_flavor", "build_type",
            "build_hash", "build_date", "build_snapshot", "lucene_version",
            "minimum_wire_compatibility_version",
            "minimum_index_compatibility_version"], version
        assert version["number"] == "8.19.2", version
        assert version["build_flavor"] == "default", version
        assert re.fullmatch(r"[0-9a-f]{40}", version["build_hash"]), version
        assert set(version["build_hash"]) != {"0"}, version
        assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z",
            version["build_date"]), version
        assert version["build_snapshot"] is False, version
        native = d.get(ML + "/info").json["native_code"]
        assert version["build_hash"].startswith(native["build_hash"]), native
        head = d.request("HEAD", "/")
        assert head.status == 200 and head.body == b"", head
        assert head.headers["content-length"] == str(len(d.get("/").raw))


def test_root_is_of_the_version_that_is_reported():
    for number, wire in (("9.1.0", "8.19.0"), ("7.17.14", "6.8.0"),
            ("6.8.8", "5.6.0"), ("5.6.16", None)):
        with Daemon(reported_version=number) as d:
            version = d.get("/").json["version"]
            assert version["number"] == number, version
            assert version.get("minimum_wire_compatibility_version") == wire
            assert ("build_flavor" in version) == (wire is not None), version


def test_every_answer_names_the_product_and_the_request():
    headers = {"X-Opaque-Id": "id 7", "traceparent":
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    with Daemon(max_body_size="1kb") as d:
        d.put_job("j", job())
        for method, where, body, more, status in (
                ("GET", "/", None, {}, 200), ("HEAD", "/", None, {}, 200),
                ("OPTIONS", "/", None, {}, 200),
                ("GET", "/absent", None, {}, 400),
                ("POST", "/", None, {}, 405),
                ("GET", path("x"), None, {}, 404),
                ("POST", path("j", "/_data"), ONE, {}, 409),
                ("PUT", path("k"), "{}", {"Content-Type": "text/plain"}, 406),
                ("GET", "/", None, {"Accept": "application/cbor"}, 406),
                ("GET", "/?format=cbor", None, {}, 400),
                ("PUT", path("k"), "x" * 2000, {}, 413),
                ("GET", path("j", "/results/records"), None, {}, 200)):
            answer = d.request(method, where, body, dict(headers, **more))
            assert answer.status == status, (method, where, answer)
            got = answer.headers
            assert got["x-elastic-product"] == "Elasticsearch", (where, got)
            assert got["x-opaque-id"] == "id 7", (where, got)
            assert "traceparent" not in got and "date" in got, (where, got)


# ---- warnings

def warnings_of(d, method, where, body=None):
    """The status of an answer, and the texts of its Warning headers."""
    head = "%s %s HTTP/1.0\r\nHost: localhost\r\n" % (method, where)
    if body is not None:
        head += ("Content-Type: application/json\r\nContent-Length: %d\r\n" %
            len(body))
    answer = d.raw((head + "\r\n" + (body or "")).encode()).decode()
    fields = re.findall(r"^Warning: (.*)\r$", answer, re.M)
    found = [WARNING.fullmatch(field) for field in fields]
    assert all(found), fields
    version = d.get("/").json["version"]
    for m in found:
        assert m[1] == version["number"], fields
        assert m[2] == version["build_hash"], fields
    return int(answer.split(" ", 2)[1]), [m[3] for m in found]


DATA = ("Posting data directly to anomaly detection jobs is deprecated, in a "
    "future major version it will be compulsory to use a datafeed")
FLUSH = ("Forcing any buffered data to be processed is deprecated, in a "
    "future major version it will be compulsory to use a datafeed")
NO_JOBS = ("Deprecated field [allow_no_jobs] used, expected [allow_no_match] "
    "instead")


def moved(method, template):
    return ("[%s /_xpack/ml%s] is deprecated! Use [%s /_ml%s] instead." %
        (method, template, method, template))


def test_warnings_are_sent_only_when_they_are_wanted():
    with Daemon(reported_version="9.1.0") as d:
        d.make_job("j", job())
        for base in (ML, XPACK):
            for rest in ("/_data", "/_flush", "/_close?allow_no_jobs=true",
                    "/_open"):
                assert warnings_of(d, "POST", path("j", rest, base)) in (
                    (200, []), (202, [])), (base, rest)


def test_warnings_tell_what_is_deprecated():
    job_path = "/anomaly_detectors/{job_id}"
    with Daemon(reported_version="9.1.0", deprecation_warnings="yes") as d:
        d.make_job("j", job())
        for method, where, body, status, texts in (
                ("GET", path("j"), None, 200, []),
                ("GET", "/", None, 200, []),
                ("POST", path("j", "/_data"), ONE, 202, [DATA]),
                ("POST", path("j", "/_flush"), None, 200, [FLUSH]),
                ("GET", path("j", "?allow_no_jobs"), None, 200, [NO_JOBS]),
                ("GET", path("j", "/_stats?allow_no_jobs=false"), None, 200,
                    [NO_JOBS]),
                ("GET", path("j", "", XPACK), None, 200,
                    [moved("GET", job_path)]),
                ("GET", path("x", "/results/buckets/7", XPACK), None, 404,
                    [moved("GET", job_path + "/results/buckets/{timestamp}")]),
                ("POST", path("j", "/_data", XPACK), ONE, 202,
                    [moved("POST", job_path + "/_data"), DATA]),
                ("POST", path("x", "/_data"), ONE, 409, [DATA]),
                ("POST", path("j", "/_flush?zz"), None, 400, [FLUSH]),
                ("POST", path("j", "/_close"), '{"allow_no_jobs":true}', 200,
                    [NO_JOBS]),
                ("POST", path("j", "/_close?allow_no_jobs=true"), None, 200,
                    [NO_JOBS])):
            got = warnings_of(d, method, where, body)
            assert got == (status, texts), (method, where, got)


def test_warnings_are_those_of_the_reported_version():
    for number, texts in (("8.19.2", [DATA, NO_JOBS]), ("7.10.0", [NO_JOBS]),
            ("7.9.3", []), ("9.0.9", [DATA, NO_JOBS])):
        with Daemon(reported_version=number, deprecation_warnings="yes") as d:
            d.make_job("j", job())
            got = []
            for rest in ("/_data", "/_flush", "/_close?allow_no_jobs=true"):
                got += warnings_of(d, "POST", path("j", rest))[1]
            assert got == texts, (number, got)
    with Daemon(reported_version="6.8.8", deprecation_warnings="yes") as d:
        d.put_job("j", job(), base=XPACK)
        assert warnings_of(d, "GET", path("j", base=XPACK)) == (200, [])
