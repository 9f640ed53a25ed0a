"""The life of a job, and every error with its text."""

from harness import *

T0 = 1403481600


def path(job_id, rest="", base=ML):
    return "%s/anomaly_detectors/%s%s" % (base, job_id, rest)


# ---- put, get, delete

def test_put_answers_the_whole_job():
    with Daemon() as d:
        got = d.put_job("j1", {"analysis_config": {"detectors": [
            {"function": "count"}]}, "data_description": {}})
        assert abs(got.pop("create_time") / 1000 - time.time()) < 60, got
        assert isinstance(got.pop("job_version"), str)
        assert got == {
            "job_id": "j1",
            "job_type": "anomaly_detector",
            "analysis_config": {
                "bucket_span": "5m",
                "detectors": [{"detector_description": "count",
                    "function": "count", "detector_index": 0}],
                "influencers": [],
                "model_prune_window": "30d",
            },
            "analysis_limits": {"model_memory_limit": "1024mb",
                "categorization_examples_limit": 4},
            "data_description": {"time_field": "time",
                "time_format": "epoch_ms"},
            "model_snapshot_retention_days": 10,
            "daily_model_snapshot_retention_after_days": 1,
            "results_index_name": "shared",
            "allow_lazy_open": False,
        }, got


def test_get_gives_what_put_answered_on_both_paths():
    with Daemon() as d:
        config = dict(job(influencers=["k"], by_field_name="k"),
            description="a job", groups=["g1"],
            custom_settings={"z": 1, "a": {"b": []}})
        put = d.put_job("j", config)
        for base in (ML, XPACK):
            got = expect(200, d.get(path("j", base=base)))
            assert got["count"] == 1 and got["jobs"] == [put], got
        assert put["custom_settings"] == config["custom_settings"]
        assert list(put["custom_settings"]) == ["z", "a"], "order is kept"


def test_deleted_job_is_gone_with_its_files():
    with Daemon() as d:
        d.put_job("j", job())
        assert d.delete_job("j") == {"acknowledged": True}
        for method, rest in (("GET", ""), ("GET", "/_stats"),
                ("DELETE", ""), ("POST", "/_open"), ("POST", "/_close")):
            expect_error(d.request(method, path("j", rest)), 404,
                "resource_not_found_exception", "No known job with id 'j'")
        jobs = os.path.join(d.state_dir, "jobs")
        wait_until(lambda: os.listdir(jobs) == [], 5, "an empty jobs/")


def test_recreated_job_knows_nothing_of_its_predecessor():
    with Daemon() as d:
        d.make_job("j", job())
        d.post("j", [{"time": T0, "v": 1}, {"time": T0 + 7200, "v": 1}])
        d.close_job("j")
        d.delete_job("j")
        d.make_job("j", job())
        check_counts(d.stats("j")["data_counts"], processed_record_count=0,
            earliest_record_timestamp=None)
        assert d.results("j", "buckets")["count"] == 0


def test_job_that_is_there_is_not_put_again():
    with Daemon() as d:
        d.put_job("j", job())
        expect_error(d.request("PUT", path("j"), job()), 400,
            "resource_already_exists_exception", "The job cannot be created "
            "with the Id 'j'. The Id is already used.")


def test_job_and_group_names_are_one_set():
    clash = ("job and group names must be unique but job [%s] and group [%s] "
        "have the same name")
    with Daemon() as d:
        d.put_job("j", dict(job(), groups=["team"]))
        expect_error(d.request("PUT", path("team"), job()), 400,
            "resource_already_exists_exception", clash % ("team", "team"))
        expect_error(d.request("PUT", path("k"), dict(job(),
            groups=["team", "j"])), 400,
            "resource_already_exists_exception", clash % ("j", "j"))
        d.put_job("k", dict(job(), groups=["team"]))


def test_job_without_what_the_server_made_can_be_put_again():
    settings = {"created_by": "a page", "note": 1}
    with Daemon() as d:
        d.put_job("j", dict(job(), custom_settings=settings, groups=["g"],
            description="d", results_index_name="mine"))
        whole = d.get(path("j")).json["jobs"][0]
        plain = d.get(path("j", "?exclude_generated=true")).json["jobs"][0]
        assert plain["custom_settings"] == {"note": 1}, plain
        d.put_job("k", plain)
        again = d.get(path("k")).json["jobs"][0]
        for key in whole.keys() - {"job_id", "job_type", "job_version",
                "create_time", "custom_settings"}:
            assert again[key] == plain[key] == whole[key], key
        assert not {"job_id", "job_type", "job_version",
            "create_time"} & plain.keys(), plain
        assert d.get(path("j")).json["jobs"][0] == whole


def test_open_job_is_not_deleted_without_force():
    with Daemon() as d:
        d.make_job("j", job())
        expect_error(d.request("DELETE", path("j")), 409, "status_exception",
            "Cannot delete job [j] because the job is opened")
        d.delete_job("j", query="?force=true")
        assert d.get(path("j")).status == 404


def innermost(response):
    """The last reason in the chain of causes."""
    error = response.error
    while "caused_by" in error:
        error = error["caused_by"]
    return error["reason"]


def with_detector(**detector):
    return {"analysis_config": {"detectors": [detector]},
        "data_description": {}}


BAD_JOBS = (
    ({"data_description": {}}, "An analysis_config must be set"),
    ({"analysis_config": {"detectors": [{"function": "count"}]}},
        "A data_description must be set"),
    ({"analysis_config": {"detectors": []}, "data_description": {}},
        "No detectors configured"),
    (with_detector(function="nonsense", field_name="v"),
        "Unknown function 'nonsense'"),
    (with_detector(function="mean", by_field_name="airline"),
        "field_name must be set when the 'mean' function is used"),
    (with_detector(function="count", field_name="v"),
        "field_name cannot be used with function 'count'"),
    (with_detector(function="mean", field_name="v", by_field_name="a",
        partition_field_name="a"),
        "partition_field_name and by_field_name cannot be the same: 'a'"),
    (with_detector(function="mean", field_name="v", by_field_name="count"),
        "'count' is not a permitted value for by_field_name"),
    (with_detector(function="mean", field_name='a"b'),
        "Invalid field name 'a\"b'. Field names including over, by and "
        "partition fields cannot contain any of these characters: \",\\"),
    (dict(job(), data_description={"time_field": "v"}),
        "data_description.time_field may not be used in the "
        "analysis_config"),
    (dict(job(span="0s")),
        "bucket_span cannot be less or equal than 0. Value = 0s"),
    (dict(job(span="1500ms")),
        "bucket_span has to be a multiple of 1s; actual was '1.5s'"),
    (dict(job(time_format="yyyy-MM-dd")),
        "Invalid Time format string 'yyyy-MM-dd'"),
)


def test_bad_configurations_are_refused_with_their_reason():
    with Daemon() as d:
        for config, reason in BAD_JOBS:
            response = d.request("PUT", path("bad"), config)
            assert response.status == 400, (config, response)
            assert innermost(response) == reason, (reason, response)
        assert expect(200, d.get("/_ml/anomaly_detectors"))["count"] == 0


def test_unknown_key_is_refused_where_it_stands():
    with Daemon() as d:
        response = d.request("PUT", path("j"),
            b'{"analysis_config":{"detectors":[{"function":"count"}]},\n'
            b' "data_description":{},"bogus":1}')
        assert response.status == 400, response
        assert response.error["type"] == "x_content_parse_exception"
        assert re.fullmatch(r"\[2:\d+\] \[job_details\] unknown field "
            r"\[bogus\].*", response.error["reason"]), response


def test_bad_ids():
    with Daemon() as d:
        text = ("Invalid job_id; '%s' can contain lowercase alphanumeric "
            "(a-z and 0-9), hyphens or underscores; must start and end with "
            "alphanumeric")
        for name, shown in (("_", "_"), ("Bad", "Bad"), ("a%20b", "a b"),
                ("-a", "-a"), ("..%2f..", "../..")):
            expect_error(d.request("PUT", path(name), job()), 400,
                "illegal_argument_exception", text % shown)
        d.put_job("a.b-c_1", job())
        expect_error(d.request("PUT", path("x" * 65), job()), 400,
            "illegal_argument_exception",
            "The job id cannot contain more than 64 characters.")
        d.put_job("x" * 64, job())
        response = d.request("PUT", path("j"), dict(job(), job_id="k"))
        expect_error(response, 400, "illegal_argument_exception",
            "Inconsistent job_id; 'k' specified in the body differs from "
            "'j' specified as a URL argument")


def test_short_function_names_are_expanded():
    with Daemon() as d:
        got = d.put_job("j", with_detector(function="nzc",
            by_field_name="airline"))
        detector = got["analysis_config"]["detectors"][0]
        assert detector["function"] == "non_zero_count", detector
        assert detector["detector_description"] == \
            "non_zero_count by airline", detector


def test_body_is_required_and_must_be_json():
    with Daemon() as d:
        expect_error(d.request("PUT", path("j")), 400, "parse_exception",
            "request body is required")
        for bad in (b"{", b'{"analysis_config":}', b"\xff\xfe"):
            response = d.request("PUT", path("j"), bad)
            assert response.status == 400, (bad, response)
            assert response.error["type"] == "x_content_parse_exception"


# ---- open, close, flush

def test_open_and_close_in_the_answers_of_each_generation():
    with Daemon() as d:
        d.put_job("j", job())
        got = d.open_job("j")
        assert got["opened"] is True and got["node"], got
        expect_error(d.request("POST", path("j", "/_open")), 409,
            "status_exception",
            "Cannot open job [j] because it has already been opened")
        assert d.close_job("j") == {"closed": True}
        assert d.close_job("j") == {"closed": True}, "closed stays closed"
        assert d.open_job("j", base=XPACK) == {"opened": True}
        assert d.close_job("j", base=XPACK) == {"closed": True}
        assert d.open_job("j")["opened"] and \
            d.close_job("j", query="?force=true") == {"closed": True}


def test_stats_follow_the_state():
    with Daemon() as d:
        d.put_job("j", job())
        closed = d.stats("j")
        assert closed["state"] == "closed", closed
        assert "node" not in closed and "open_time" not in closed, closed
        assert closed["forecasts_stats"] == {"total": 0,
            "forecasted_jobs": 0}, closed
        assert closed["model_size_stats"]["result_type"] == \
            "model_size_stats", closed
        d.open_job("j")
        opened = d.stats("j")
        assert opened["state"] == "opened", opened
        assert opened["node"]["name"] and \
            opened["node"]["attributes"]["ml.machine_memory"], opened
        assert re.fullmatch(r"\d+s", opened["open_time"]), opened
        assert opened["assignment_explanation"] == "", opened
        assert "log_time" not in opened["data_counts"], opened
        d.post("j", [{"time": T0, "v": 1}])
        counts = d.stats("j")["data_counts"]
        assert list(counts)[-1] == "log_time", counts
        assert counts["log_time"] >= counts["last_data_time"], counts
        d.close_job("j")
        again = expect(200, d.get(path("j")))["jobs"][0]
        assert again["finished_time"] >= again["create_time"], again
        d.open_job("j")
        assert "finished_time" not in expect(200,
            d.get(path("j")))["jobs"][0]


def test_data_and_flush_need_an_open_job():
    with Daemon() as d:
        d.put_job("j", job())
        reason = "Cannot perform requested action because job [%s] is not open"
        for name in ("j", "absent"):
            expect_error(d.try_post(name, [{"time": T0, "v": 1}]), 409,
                "status_exception", reason % name)
            expect_error(d.request("POST", path(name, "/_flush")), 409,
                "status_exception", reason % name)


def test_open_while_large_upload_to_a_closed_job_is_refused_in_time():
    with Daemon() as d:
        d.put_job("j", job())
        body = ndjson([{"time": T0, "v": 1}] * 200000)
        response = d.try_post("j", body)
        assert response.status == 409, response
        assert d.get("/").status == 200


FLUSHES = (
    # the query, and the reason for which it is refused
    ("?start=1000", "Invalid flush parameters: unexpected 'start'."),
    ("?end=1000", "Invalid flush parameters: unexpected 'end'."),
    ("?calc_interim=true&end=1000",
        "Invalid flush parameters: 'start' has not been specified."),
    ("?calc_interim=true&start=2000&end=1000", "Invalid time range: end "
        "time '1000' is earlier than start time '2000'."),
    ("?advance_time=1000&skip_time=2000",
        "advance_time [1000] must be later than skip_time [2000]"),
    ("?advance_time=soon", "Query param [advance_time] with value [soon] "
        "cannot be parsed as a date or converted to a number (epoch)."),
    ("?calc_interim=maybe", "Failed to parse value [maybe] as only [true] or "
        "[false] are allowed."),
)


def test_bad_flushes_are_refused_with_their_reason():
    with Daemon() as d:
        d.make_job("j", job())
        for query, reason in FLUSHES:
            response = d.request("POST", path("j", "/_flush" + query))
            assert response.status == 400, (query, response)
            assert response.error["reason"] == reason, (query, response)


def test_flush_takes_its_parameters_from_a_body_too():
    with Daemon() as d:
        d.make_job("j", job())
        d.post("j", [{"time": T0, "v": 1}])
        got = expect(200, d.request("POST", path("j", "/_flush"),
            {"advance_time": str(T0 + 7200)}))
        assert got == {"flushed": True,
            "last_finalized_bucket_end": (T0 + 7200) * 1000}, got
        page = d.results("j", "buckets")
        assert [b["event_count"] for b in page["buckets"]] == [1, 0], page


def test_interim_results_come_and_go():
    with Daemon() as d:
        d.make_job("j", job())
        d.post("j", [{"time": T0 + i * 600, "v": 1} for i in range(9)])
        d.flush("j", "?calc_interim=true")
        page = d.results("j", "buckets")
        assert [b["is_interim"] for b in page["buckets"]] == [False, True]
        assert d.results("j", "buckets", "?exclude_interim=true")[
            "count"] == 1
        d.post("j", [{"time": T0 + 7200, "v": 1}])
        d.flush("j")
        page = d.results("j", "buckets")
        assert [b["is_interim"] for b in page["buckets"]] == [False, False]
        assert [b["event_count"] for b in page["buckets"]] == [6, 3], page


# ---- the router

def test_root_names_the_product():
    with Daemon() as d:
        response = d.get("/")
        assert response.headers["x-elastic-product"] == "Elasticsearch"
        assert response.json["tagline"] == "You Know, for Search"
        assert response.json["version"]["number"] == "8.19.2"
        assert len(response.json["cluster_uuid"]) == 22, response
        head = d.request("HEAD", "/")
        assert head.status == 200 and head.raw == b"", head


def test_reported_version_can_be_set():
    with Daemon(reported_version="7.17.14") as d:
        assert d.get("/").json["version"]["number"] == "7.17.14"


def test_router_errors():
    with Daemon() as d:
        response = d.get("/nowhere?x=1")
        assert response.status == 400 and response.json == {"error":
            "no handler found for uri [/nowhere?x=1] and method [GET]"}
        response = d.request("PUT", path("j", "/_open"))
        assert response.status == 405, response
        assert response.headers["allow"] == "POST", response.headers
        assert response.json == {"error": "Incorrect HTTP method for uri "
            "[/_ml/anomaly_detectors/j/_open] and method [PUT], allowed: "
            "[POST]", "status": 405}, response
        response = d.request("OPTIONS", path("j"))
        assert response.status == 200 and response.body == b"", response
        assert set(re.split(", ?", response.headers["allow"])) >= {"GET",
            "PUT", "DELETE"}, response.headers
        assert "x-elastic-product" in d.get(path("absent")).headers


def test_unknown_parameters_are_refused():
    with Daemon() as d:
        d.put_job("j", job())
        expect_error(d.get(path("j", "/_stats?bogus=1")), 400,
            "illegal_argument_exception", "request [/_ml/anomaly_detectors/j"
            "/_stats] contains unrecognized parameter: [bogus]")
        expect_error(d.request("POST", path("j", "/_close?forse=true")), 400,
            "illegal_argument_exception", "request [/_ml/anomaly_detectors/j"
            "/_close] contains unrecognized parameter: [forse] -> did you "
            "mean [force]?")


def test_content_type_is_required():
    with Daemon() as d:
        body = json.dumps(job())
        response = d.raw(("PUT /_ml/anomaly_detectors/j HTTP/1.1\r\n"
            "Host: localhost\r\nConnection: close\r\nContent-Length: %d\r\n"
            "\r\n%s" % (len(body), body)).encode())
        assert response.startswith(b"HTTP/1.1 406 "), response
        assert b'{"error":"Content-Type header is missing","status":406}' \
            in response, response
        response = d.request("PUT", path("j"), job(), {
            "Content-Type": "text/plain"})
        assert response.json == {"error": "Content-Type header [text/plain] "
            "is not supported", "status": 406}, response


def test_answers_echo_the_media_type_that_was_asked_for():
    with Daemon() as d:
        d.put_job("j", job())
        for accept, want in (
            (None, "application/json"),
            ("application/vnd.elasticsearch+json; compatible-with=9",
                "application/vnd.elasticsearch+json;compatible-with=9"),
            ("application/vnd.elasticsearch+json;compatible-with=8",
                "application/vnd.elasticsearch+json;compatible-with=8"),
        ):
            response = d.get(path("j"), headers={"Accept": accept} if accept
                else {})
            got = response.headers["content-type"].replace("; ", ";")
            assert got.split(";charset")[0] == want, (accept, got)


def test_pretty_and_filter_path():
    with Daemon() as d:
        d.put_job("j", job())
        text = d.get(path("j", "?pretty")).body.decode()
        assert text.startswith('{\n  "count" : 1,\n  "jobs" : [\n'), text
        assert text.endswith("}\n"), text
        got = d.get(path("j", "?filter_path=jobs.job_id,count")).json
        assert got == {"count": 1, "jobs": [{"job_id": "j"}]}, got
        got = d.get(path("j", "?filter_path=-jobs.analysis_*")).json
        assert "analysis_config" not in got["jobs"][0], got
        assert "data_description" in got["jobs"][0], got
        got = d.get(path("absent", "?filter_path=error.reason")).json
        assert got == {"error": {"reason":
            "No known job with id 'absent'"}}, got


def test_opaque_id_comes_back():
    with Daemon() as d:
        response = d.get("/", headers={"X-Opaque-Id": "abc"})
        assert response.headers["x-opaque-id"] == "abc", response.headers


# ---- who may ask

def test_foreign_host_and_origin_are_refused():
    with Daemon(allowed_host="box.example.net",
            allowed_origin="https://ui.example.net") as d:
        for host, status in (("localhost", 200), ("127.0.0.1:1", 200),
                ("[::1]:9200", 200), ("box.example.net:9200", 200),
                ("evil.example.com", 403)):
            response = d.get("/", headers={"Host": host})
            assert response.status == status, (host, response)
        for origin, status in (("https://ui.example.net", 200),
                ("https://evil.example.com", 403), ("null", 403)):
            response = d.get("/", headers={"Origin": origin})
            assert response.status == status, (origin, response)


def test_all_listeners_serve():
    with tempfile.TemporaryDirectory() as where:
        path_ = os.path.join(where, "s")
        listeners = ["127.0.0.1:0", "unix:" + path_]
        if socket.has_ipv6 and os.path.exists("/proc/net/if_inet6"):
            listeners.append("[::1]:0")
        with Daemon(listen=listeners) as d:
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path_)
                s.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
                assert b"You Know" in read_all(s)
            if len(listeners) == 3:
                port = int(re.search(r"listening on \[::1\]:(\d+)",
                    d.log())[1])
                with socket.create_connection(("::1", port)) as s:
                    s.sendall(b"GET / HTTP/1.0\r\nHost: [::1]\r\n\r\n")
                    assert b"You Know" in read_all(s)
        assert not os.path.exists(path_), "the socket is removed at the end"


def test_jobs_and_state_survive_a_restart():
    with Daemon() as d:
        d.make_job("open", job())
        d.put_job("closed", job())
        d.post("open", [{"time": T0, "v": 1}])
        d.restart()
        wait_until(lambda: d.stats("open")["state"] == "opened", 10,
            "the job to be opened again")
        assert d.stats("closed")["state"] == "closed"
        check_counts(d.stats("open")["data_counts"],
            processed_record_count=1)
        check_counts(d.post("open", [{"time": T0 + 60, "v": 1}]),
            processed_record_count=1)
