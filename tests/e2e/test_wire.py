"""What every request may say: media types, the form of its answer."""

from harness import *

V = "application/vnd.elasticsearch+"
FAULT = "Invalid media-type value on headers [Accept, Content-Type]"
DISAGREE = ("A compatible version is required on both Content-Type and Accept "
    "headers if either one has requested a compatible version and the "
    "compatible versions must match. Accept=%s, Content-Type=%s")


def path(job_id, rest="", base=ML):
    return "%s/anomaly_detectors/%s%s" % (base, job_id, rest)


def vendor(kind, version):
    return "%s%s; compatible-with=%s" % (V, kind, version)


def parse_yaml(text):
    """The little of YAML that answers are written in, read strictly."""
    assert text.startswith("---") and text.endswith("\n"), text
    if text.startswith("--- "):
        return json.loads(text[4:])
    lines = []
    for line in text.split("\n")[1:-1]:
        body = line.lstrip(" ")
        depth = len(line) - len(body)
        while body.startswith("- "):
            lines.append((depth, "-"))
            body = body[2:]
            depth += 2
        lines.append((depth, body))
    value, end = yaml_block(lines, 0)
    assert end == len(lines), (end, lines)
    return value


def yaml_block(lines, i):
    depth, body = lines[i]
    if body == "-":
        items = []
        while i < len(lines) and lines[i] == (depth, "-"):
            item, i = yaml_block(lines, i + 1)
            items.append(item)
        return items, i
    m = re.match(r'("(?:[^"\\]|\\.)*"|[A-Za-z_][\w.-]*):(?: |$)', body)
    if m is None:
        assert re.fullmatch(r'"(?:[^"\\]|\\.)*"|true|false|null|\[\]|\{\}|'
            r"-?\d+(\.\d+([eE][-+]\d+)?)?", body), body
        return json.loads(body), i + 1
    members = {}
    while i < len(lines) and lines[i][0] == depth and lines[i][1] != "-":
        body = lines[i][1]
        m = re.match(r'("(?:[^"\\]|\\.)*"|[A-Za-z_][\w.-]*):(?: |$)', body)
        key = json.loads(m[1]) if m[1][0] == '"' else m[1]
        rest = body[m.end():]
        if rest:
            members[key], _ = yaml_block([(0, rest)], 0)
            i += 1
        else:
            members[key], i = yaml_block(lines, i + 1)
    return members, i


# ---- media types of bodies

def test_bodies_of_other_types_are_refused_everywhere():
    routes = [("GET", "/"), ("PUT", path("j")), ("GET", path("j")),
        ("DELETE", path("j")), ("POST", path("j", "/_open")),
        ("POST", path("j", "/_close")), ("POST", path("j", "/_flush")),
        ("POST", path("j", "/results/records"))]
    kinds = ["text/plain", "text/plain; charset=UTF-8",
        "application/x-www-form-urlencoded", "multipart/form-data; boundary=b",
        "application/yaml", "application/smile", "application/cbor",
        "application/x-ndjson", "application/json; charset=latin1",
        "application/xml", "json"]
    with Daemon() as d:
        d.put_job("j", job())
        for method, where in routes:
            for kind in kinds:
                answer = d.request(method, where, "{}",
                    {"Content-Type": kind})
                assert answer.status == 406, (method, where, kind, answer)
                assert answer.json == {"error": "Content-Type header [%s] is "
                    "not supported" % kind, "status": 406}, answer
                assert answer.headers["content-type"] == "application/json"
        assert d.get(path("j")).status == 200, "nothing was done"


def test_body_without_a_type_is_refused_as_each_path_says_it():
    with Daemon() as d:
        for base, text in ((ML, "Content-Type header is missing"),
                (XPACK, "Content-Type header [] is not supported")):
            for rest in ("", "/_data"):
                answer = d.raw(("POST %s HTTP/1.0\r\nHost: localhost\r\n"
                    "Content-Length: 2\r\n\r\n{}" % path("j", "/_open" if
                    rest == "" else rest, base)).encode())
                assert answer.startswith(b"HTTP/1.1 406 "), answer
                assert json.loads(answer.split(b"\r\n\r\n")[1]) == {
                    "error": text, "status": 406}, answer


def test_data_comes_in_the_types_that_clients_send():
    one = '{"time":0,"v":1}\n'
    # Content-Type and Accept, as the official clients send them.
    pairs = [("application/json", None), ("application/x-ndjson", None),
        ("application/json; charset=UTF-8", "application/json"),
        (vendor("json", 8), vendor("json", 8)),
        (vendor("json", 9), vendor("json", 9) + ",text/plain"),
        (vendor("x-ndjson", 9), vendor("json", 9)),
        (V + "x-ndjson;compatible-with=7", V + "json;compatible-with=7"),
        ("text/plain", vendor("json", 8) + ",text/plain"),
        ("text/plain", vendor("json", 8)), ("text/plain", None)]
    with Daemon() as d:
        d.make_job("j", job())
        for kind, accept in pairs:
            headers = {"Content-Type": kind}
            if accept:
                headers["Accept"] = accept
            answer = d.try_post("j", one, headers=headers)
            assert expect(202, answer)["input_record_count"] == 1, answer
        stream = ("Content-Type [%s] does not support stream parsing. Use "
            "JSON or SMILE instead")
        for kind, text in (("application/yaml", stream % "YAML"),
                ("application/cbor", stream % "CBOR")):
            answer = d.try_post("j", one, headers={"Content-Type": kind})
            assert answer.status == 406 and answer.json == {"error": text,
                "status": 406}, answer
        for kind in ("application/smile", "multipart/form-data; boundary=b",
                "application/x-www-form-urlencoded", "text/csv"):
            answer = d.try_post("j", one, headers={"Content-Type": kind})
            assert answer.status == 406 and answer.json == {"error":
                "Content-Type header [%s] is not supported" % kind,
                "status": 406}, answer
        check_counts(d.stats("j")["data_counts"],
            input_record_count=len(pairs))


# ---- versions

def expect_version_fault(answer, cause):
    expect_error(answer, 400, "media_type_header_exception", FAULT)
    assert answer.error == {
        "root_cause": [{"type": "media_type_header_exception",
            "reason": FAULT}],
        "type": "media_type_header_exception", "reason": FAULT,
        "caused_by": {"type": "status_exception", "reason": cause},
    }, answer


def test_versions_that_are_not_spoken_are_refused():
    with Daemon() as d:
        d.put_job("j", job())
        for version in ("6", "10", "8x"):
            accept = vendor("json", version)
            for where in ("/", path("j"), path("j", "/_stats"), "/absent"):
                expect_version_fault(d.get(where, headers={"Accept": accept}),
                    "Accept version must be either version 9, 8 or 7, but "
                    "found %s. Accept=%s" % (version, accept))
            expect_version_fault(d.request("POST", path("j", "/_open"), "{}",
                {"Content-Type": accept, "Accept": vendor("json", 8)}),
                "Content-Type version must be either version 9, 8 or 7, but "
                "found %s. Content-Type=%s" % (version, accept))
        # Without a body nobody looks at its type.
        answer = d.request("POST", path("j", "/_open"), None,
            {"Content-Type": vendor("json", 6)})
        assert answer.status == 200, answer


def test_versions_of_both_headers_agree_or_are_refused():
    v8, v9 = vendor("json", 8), vendor("json", 9)
    with Daemon() as d:
        d.make_job("j", job())
        for accept, kind in ((v8, v9), (v9, v8), (v8, "application/json"),
                ("application/json", v8), ("*/*", v8),
                (v8, "text/plain")):
            answer = d.request("POST", path("j", "/_flush"), "{}",
                {"Accept": accept, "Content-Type": kind})
            expect_version_fault(answer, DISAGREE % (accept, kind))
        expect_version_fault(d.try_post("j", "{}", headers={"Accept": v8,
            "Content-Type": "application/x-ndjson"}),
            DISAGREE % (v8, "application/x-ndjson"))
        expect_version_fault(d.request("POST", path("j", "/_flush"), "{}",
            {"Content-Type": v8}), DISAGREE % ("null", v8))
        for version in (7, 8, 9):
            v = vendor("json", version)
            answer = d.request("POST", path("j", "/_flush"), "{}",
                {"Accept": v, "Content-Type": v})
            assert answer.status == 200, answer
            assert answer.headers["content-type"] == v.replace(" ", "")


# ---- the form of answers

def test_content_type_of_answers():
    with Daemon() as d:
        d.put_job("j", job())
        for accept, base, kind in (
                (None, ML, "application/json"),
                (None, XPACK, "application/json; charset=UTF-8"),
                ("*/*", ML, "application/json"),
                ("*/*", XPACK, "application/json; charset=UTF-8"),
                ("text/plain", ML, "application/json"),
                ("application/*;q=0.2, text/html", ML, "application/json"),
                ("application/json;q=0.5, application/yaml", ML,
                    "application/yaml"),
                ("application/yaml;q=0.5, application/json", ML,
                    "application/json"),
                ("application/yaml", XPACK, "application/yaml"),
                (vendor("json", 7), ML, V + "json;compatible-with=7"),
                (vendor("json", 8) + ",text/plain", XPACK,
                    V + "json;compatible-with=8"),
                (vendor("yaml", 9), ML, V + "yaml;compatible-with=9")):
            for rest, status in (("j", 200), ("absent", 404),
                    ("j/results/buckets", 200), ("j/absent", 400),
                    ("j?pretty=x", 400)):
                answer = d.get(path(rest, base=base),
                    headers={"Accept": accept} if accept else None)
                assert answer.status == status, (accept, answer)
                assert answer.headers["content-type"] == kind, (rest, accept,
                    answer.headers)


def test_form_that_nobody_can_give_is_refused_with_what_can_be():
    with Daemon() as d:
        for accept in ("application/smile", "application/cbor", "image/png",
                V + "cbor; compatible-with=8", "application/json;q=0"):
            expect_error(d.get("/", headers={"Accept": accept}), 406,
                "status_exception", "Accept header [%s] is not supported; "
                "application/json and application/yaml are" % accept)
        for value in ("smile", "cbor", "xml", "", "text", "txt"):
            expect_error(d.get("/?format=" + value), 400,
                "illegal_argument_exception", "Failed to parse value [%s] of "
                "the parameter [format] as only [json] or [yaml] are "
                "allowed." % value)
        assert d.get("/?format=json", headers={"Accept": "application/yaml"}
            ).json["cluster_name"] == "anomd"


def test_yaml_says_the_same_as_json():
    with Daemon() as d:
        d.make_job("j", dict(job(influencers=["k"], by_field_name="k"),
            description="a \"b\"\n- c: d\u2028\u0085", custom_settings={
                "a b": [[1, [2.5e-9]], {}, []], "7": None, "no": True,
                "": {"\u00e9": ["- x", "# y", "\ud83d\ude00"]}}))
        d.post("j", [{"time": 3600 * i, "v": 1000 if i == 60 else i % 3,
            "k": "k: -%d" % (i % 2)} for i in range(80)])
        d.flush("j", "?calc_interim=true")
        seen = 0
        for where in ("/", ML + "/info", path("j"), path("absent"), "/absent",
                path("j", "/_stats"), path("j", "/results/buckets?expand"),
                path("j", "/results/records?size=1000"),
                path("j", "/results/records?start=now"),
                path("j", "/results/buckets?filter_path=count"),
                path("j", "/results/buckets?filter_path=nothing"),
                path("j", "/results/buckets/12?error_trace"),
                path("j", "?human&filter_path=**.create*,-jobs.x"),
                path("j", "/_stats?filter_path=nothing")):
            plain = d.get(where)
            joint = "&" if "?" in where else "?"
            for answer in (d.get(where + joint + "format=yaml"),
                    d.get(where, headers={"Accept": "application/yaml"})):
                assert answer.status == plain.status, answer
                assert answer.headers["content-type"] == "application/yaml"
                got = parse_yaml(answer.body.decode())
                text = json.dumps(got).replace(joint + "format=yaml", "")
                assert json.loads(text) == plain.json, (where, answer)
                seen += len(answer.body)
        assert seen > 30000, seen


def test_yaml_is_written_in_block_style():
    with Daemon() as d:
        d.put_job("j", job())
        answer = d.get(path("j", "?format=yaml&filter_path=count,"
            "jobs.job_id,jobs.analysis_config,jobs.allow_lazy_open"))
        assert answer.body.decode() == """---
count: 1
jobs:
- job_id: "j"
  analysis_config:
    bucket_span: "1h"
    detectors:
    - detector_description: "mean(v)"
      function: "mean"
      field_name: "v"
      detector_index: 0
    influencers: []
    model_prune_window: "30d"
  allow_lazy_open: false
""", answer
        answer = d.get(path("x", "?format=yaml"))
        assert answer.body.decode() == """---
error:
  root_cause:
  - type: "resource_not_found_exception"
    reason: "No known job with id 'x'"
  type: "resource_not_found_exception"
  reason: "No known job with id 'x'"
status: 404
""", answer


# ---- common parameters

def test_pretty_is_a_flag():
    with Daemon() as d:
        plain = d.get("/").body
        for query in ("?pretty", "?pretty=", "?pretty=true"):
            text = d.get("/" + query).body.decode()
            assert text.startswith('{\n  "name" : "'), text
            assert text.endswith("\n}\n"), text
            assert json.loads(text) == json.loads(plain)
        assert d.get("/?pretty=false").body == plain
        for name in ("pretty", "human", "error_trace"):
            expect_error(d.get("/?%s=yes" % name), 400,
                "illegal_argument_exception", "Failed to parse value [yes] "
                "as only [true] or [false] are allowed.")
        text = d.get(path("x", "?pretty")).body.decode()
        assert text.startswith('{\n  "error" : {\n    "root_cause" : [\n'
            '      {\n        "type" : "resource_not_found'), text


def test_filter_path_takes_and_leaves_out():
    with Daemon() as d:
        for name in ("a", "b"):
            d.put_job(name, job())
        for query, want in (
                ("count", {"count": 2}),
                ("jobs.job_id", {"jobs": [{"job_id": "a"}, {"job_id": "b"}]}),
                ("*.analysis_*.bucket_span", {"jobs": [{"analysis_config": {
                    "bucket_span": "1h"}}] * 2}),
                ("**.function", {"jobs": [{"analysis_config": {"detectors": [{
                    "function": "mean"}]}}] * 2}),
                ("-jobs", {"count": 2}),
                ("count,jobs.data*,-**.time_f*", {"count": 2}),
                ("jobs.data_description,-**.time_format", {"jobs": [{
                    "data_description": {"time_field": "time"}}] * 2}),
                ("nothing", {})):
            got = d.get(path("", "?filter_path=" + query)).json
            assert got == want, (query, got)
        answer = d.get(path("x", "?filter_path=error.reason,status"))
        assert answer.json == {"error": {"reason": "No known job with id "
            "'x'"}, "status": 404}, answer
        assert d.get(path("x", "?filter_path=-error")).json == {"status": 404}
        assert d.get("/absent?filter_path=status").json == {}


def date_twins(value, found):
    """Each key that ends in _string, with what follows it."""
    if isinstance(value, list):
        for item in value:
            date_twins(item, found)
    elif isinstance(value, dict):
        keys = list(value)
        for i, key in enumerate(keys):
            date_twins(value[key], found)
            if key.endswith("_string"):
                assert keys[i + 1] == key[:-len("_string")], keys
                found[keys[i + 1]] = (value[key], value[keys[i + 1]])


def test_human_writes_every_date_as_text_before_the_number():
    with Daemon() as d:
        d.make_job("j", job(span="10m"))
        d.post("j", [{"time": t, "v": 1} for t in range(1403481600,
            1403481600 + 60000, 60)] + [{"time": 1403481600 + 70000, "v": 1},
            {"time": 1403481600 + 71000, "v": 1},
            {"time": 1403481600 + 80000, "v": 1}])
        d.close_job("j")
        for where, names in ((path("j"), {"create_time", "finished_time"}),
                (path("j", "/_stats"), {"earliest_record_timestamp",
                    "latest_record_timestamp", "last_data_time",
                    "latest_empty_bucket_timestamp", "log_time",
                    "latest_sparse_bucket_timestamp"}),
                (path("j", "/results/buckets"), {"timestamp"})):
            found = {}
            date_twins(d.get(where + "?human=true").json, found)
            plain = d.get(where).body
            assert b"_string" not in plain
            # Every member that holds a time of this century has its twin.
            dated = set(re.findall(rb'"(\w+)":1[3-9]\d{11}\b', plain))
            assert {n.decode() for n in dated} <= found.keys(), (dated, found)
            missing = {n for n in names if n.encode() in dated} - found.keys()
            assert not missing, (where, missing)
            assert names & found.keys(), (where, found)
            for name, (text, ms) in found.items():
                assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z",
                    text), text
                stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(
                    ms // 1000)) + ".%03dZ" % (ms % 1000)
                assert text == stamp, (name, text, ms)


def test_error_trace_is_told_on_demand():
    with Daemon() as d:
        reason = "No known job with id 'x'"
        line = "resource_not_found_exception: " + reason
        for query in ("?error_trace", "?error_trace=true"):
            error = d.get(path("x", query)).error
            assert error["stack_trace"] == line, error
            assert error["root_cause"][0]["stack_trace"] == line, error
        for query in ("", "?error_trace=false"):
            assert b"stack_trace" not in d.get(path("x", query)).body
        error = d.request("PUT", path("j", "?error_trace"), {
            "analysis_config": {"detectors": [{"function": "mean"}]},
            "data_description": {}}).error
        lines = error["stack_trace"].split("\ncaused by: ")
        chain = error
        for text in lines:
            assert text == "%s: %s" % (chain["type"], chain["reason"]), error
            chain = chain.get("caused_by")
        assert chain is None and len(lines) > 1, error
        inner = error["caused_by"]["stack_trace"].split("\ncaused by: ")
        assert inner == lines[1:], error


def test_values_that_are_wrong_are_named():
    duration = ("failed to parse setting [timeout] with value [%s] as a time "
        "value: unit is missing or unrecognized")
    date = ("Query param [%s] with value [%s] cannot be parsed as a date or "
        "converted to a number (epoch).")
    with Daemon() as d:
        d.make_job("j", job())
        for value in ("5", "5x", "", "5w"):
            expect_error(d.request("POST", path("j",
                "/_close?timeout=" + value)), 400,
                "illegal_argument_exception", duration % value)
        expect_error(d.request("POST", path("j", "/_close?force=1")), 400,
            "illegal_argument_exception", "Failed to parse value [1] as only "
            "[true] or [false] are allowed.")
        for name, shown, rest in (("start", "start", "/_flush"),
                ("end", "end", "/_flush"),
                ("advance_time", "advance_time", "/_flush"),
                ("skip_time", "skip_time", "/_flush"),
                ("reset_start", "start", "/_data"),
                ("reset_end", "end", "/_data")):
            for value in ("soon", "-5", "2014-13-01"):
                query = "?calc_interim=true&" if rest == "/_flush" else "?"
                answer = d.request("POST", path("j", rest + query + name +
                    "=" + value))
                expect_error(answer, 400, "parse_exception",
                    date % (shown, value))
        answer = d.request("PUT", path("k"), dict(job(), analysis_limits={
            "model_memory_limit": "4 parsecs"}))
        cause = answer.error
        while "caused_by" in cause:
            cause = cause["caused_by"]
        assert answer.status == 400 and cause == {"type": "parse_exception",
            "reason": "failed to parse setting [model_memory_limit] with "
            "value [4 parsecs] as a size in bytes: unit is missing or "
            "unrecognized"}, answer
