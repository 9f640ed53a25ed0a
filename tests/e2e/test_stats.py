"""GET _stats, info and memory/_stats: what the daemon says of its work."""

from harness import *

T0 = 1403481600
COUNTS = ["job_id", "processed_record_count", "processed_field_count",
    "input_bytes", "input_field_count", "invalid_date_count",
    "missing_field_count", "out_of_order_timestamp_count",
    "empty_bucket_count", "sparse_bucket_count", "bucket_count"]
DATES = ["earliest_record_timestamp", "latest_record_timestamp",
    "last_data_time"]
SIZES = ["job_id", "result_type", "model_bytes", "total_by_field_count",
    "total_over_field_count", "total_partition_field_count",
    "bucket_allocation_failures_count", "memory_status",
    "categorized_doc_count", "total_category_count",
    "frequent_category_count", "rare_category_count", "dead_category_count",
    "failed_category_count", "categorization_status", "log_time"]
OPTIONAL_SIZES = ["peak_model_bytes", "model_bytes_exceeded",
    "model_bytes_memory_limit", "assignment_memory_basis"]


def path(job_id="", rest="", base=ML):
    return "%s/anomaly_detectors/%s%s" % (base, job_id, rest)


def is_now(ms):
    return abs(ms / 1000 - time.time()) < 60


# ---- _stats

def test_job_that_was_never_open_has_zeros():
    with Daemon() as d:
        d.put_job("j", job())
        for base in (ML, XPACK):
            got = d.stats("j", base)
            assert list(got) == ["job_id", "data_counts", "model_size_stats",
                "forecasts_stats", "state", "timing_stats"], got
            assert got["state"] == "closed"
            assert list(got["data_counts"]) == COUNTS + [
                "input_record_count"], got
            assert set(got["data_counts"].values()) == {"j", 0}
            size = got["model_size_stats"]
            assert list(size) == SIZES, size
            assert is_now(size.pop("log_time")), size
            assert set(size.values()) == {"j", "model_size_stats", 0, "ok"}
            assert got["forecasts_stats"] == {"total": 0,
                "forecasted_jobs": 0}
            assert got["timing_stats"] == {"job_id": "j", "bucket_count": 0,
                "total_bucket_processing_time_ms": 0.0,
                "exponential_average_bucket_processing_time_per_hour_ms": 0.0}


def test_open_job_has_a_node():
    with Daemon() as d:
        d.make_job("j", job())
        got = d.stats("j")
        assert list(got) == ["job_id", "data_counts", "model_size_stats",
            "forecasts_stats", "state", "node", "assignment_explanation",
            "open_time", "timing_stats"], got
        assert got["state"] == "opened"
        assert got["assignment_explanation"] == ""
        assert re.fullmatch(r"\d+s", got["open_time"]), got
        node = got["node"]
        assert list(node) == ["id", "name", "ephemeral_id",
            "transport_address", "attributes"], node
        assert all(node.values()), node
        assert node["transport_address"] == "127.0.0.1:%d" % d.port
        attributes = node["attributes"]
        assert set(attributes) == {"ml.machine_memory", "ml.max_open_jobs",
            "ml.allocated_processors", "xpack.installed"}, attributes
        assert all(isinstance(v, str) for v in attributes.values())
        assert int(attributes["ml.machine_memory"]) == os.sysconf(
            "SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        assert int(attributes["ml.allocated_processors"]) == len(
            os.sched_getaffinity(0))
        assert int(attributes["ml.max_open_jobs"]) > 0
        assert attributes["xpack.installed"] == "true"
        d.close_job("j")
        got = d.stats("j")
        assert not {"node", "open_time", "assignment_explanation"} & \
            got.keys(), got


def test_ephemeral_id_is_of_one_start():
    with Daemon() as d:
        d.make_job("j", job())
        before = d.stats("j")["node"]
        d.restart()
        after = d.stats("j")["node"]
        assert before["id"] == after["id"]
        assert before["ephemeral_id"] != after["ephemeral_id"]
        assert after["ephemeral_id"] != after["id"]


def test_sizes_and_times_of_a_job_with_data():
    with Daemon() as d:
        d.make_job("j", job(span="1m", by_field_name="b"))
        d.post("j", [{"time": T0 + 20 * i, "v": i, "b": "xyz"[i % 3]}
            for i in range(31)])
        got = d.stats("j")
        size = got["model_size_stats"]
        wanted = SIZES[:3] + OPTIONAL_SIZES[:3] + SIZES[3:8] + \
            OPTIONAL_SIZES[3:] + SIZES[8:] + ["timestamp"]
        assert list(size) == wanted, size
        assert 0 < size["model_bytes"] <= size["peak_model_bytes"], size
        assert size["model_bytes_memory_limit"] == 1024 ** 3
        assert size["model_bytes_exceeded"] == 0
        assert size["memory_status"] == "ok"
        assert size["total_by_field_count"] == 3
        assert size["assignment_memory_basis"] == "current_model_bytes"
        assert size["timestamp"] == (T0 + 10 * 60) * 1000, size
        assert is_now(size["log_time"])
        assert got["data_counts"]["log_time"] == size["log_time"]
        times = got["timing_stats"]
        prefix = "bucket_processing_time"
        assert list(times) == ["job_id", "bucket_count",
            "total_%s_ms" % prefix, "minimum_%s_ms" % prefix,
            "maximum_%s_ms" % prefix, "average_%s_ms" % prefix,
            "exponential_average_%s_ms" % prefix,
            "exponential_average_%s_per_hour_ms" % prefix], times
        least, most, mean = (times["%s_%s_ms" % (what, prefix)]
            for what in ("minimum", "maximum", "average"))
        assert times["bucket_count"] == 10
        assert 0 <= least <= mean <= most and most > 0, times
        assert abs(times["total_%s_ms" % prefix] - 10 * mean) < 1e-9
        late = times["exponential_average_%s_ms" % prefix]
        assert least <= late <= most, times
        assert abs(times["exponential_average_%s_per_hour_ms" % prefix] -
            60 * late) < 1e-6, times


def test_figures_outlive_close_and_restart():
    with Daemon() as d:
        d.make_job("j", job(span="1m"))
        d.post("j", [{"time": T0 + 60 * i, "v": i} for i in range(5)])
        before = d.stats("j")
        d.close_job("j")
        d.restart()
        after = d.stats("j")
        for part in ("data_counts", "model_size_stats"):
            assert before[part].pop("log_time") <= after[part].pop(
                "log_time")
            assert before[part] == after[part], part
        assert before["timing_stats"] == after["timing_stats"]


def test_human_twins_stand_before_dates():
    with Daemon() as d:
        d.make_job("j", job(span="1m"))
        d.post("j", [{"time": T0 + 60 * i, "v": i} for i in range(5)])
        got = d.get(path("j", "/_stats?human")).json["jobs"][0]
        keys = list(got["data_counts"])
        for name in DATES + ["log_time"]:
            assert keys.index(name) == keys.index(name + "_string") + 1, keys
        assert got["data_counts"]["earliest_record_timestamp_string"] == \
            "2014-06-23T00:00:00.000Z"
        size = got["model_size_stats"]
        assert size["timestamp_string"] == "2014-06-23T00:04:00.000Z", size
        assert size["log_time_string"].endswith("Z")


def test_memory_limit_shows_in_model_size():
    config = job(span="1m", by_field_name="b")
    config["analysis_limits"] = {"model_memory_limit": "1mb"}
    with Daemon() as d:
        d.make_job("j", config)
        d.post("j", [{"time": T0 + 60 * (i // 500), "v": 1,
            "b": "name %d" % i} for i in range(6000)])
        size = d.stats("j")["model_size_stats"]
        assert size["memory_status"] == "hard_limit", size
        assert size["model_bytes_memory_limit"] == 1024 ** 2
        assert size["model_bytes_exceeded"] > 0
        assert size["bucket_allocation_failures_count"] > 0


def test_failed_job_says_why():
    with Daemon() as d:
        d.make_job("j", job())
        d.fail_job("j")
        got = d.stats("j")
        assert "worker" in got["assignment_explanation"], got
        assert not {"node", "open_time"} & got.keys(), got


def test_which_jobs():
    with Daemon() as d:
        assert d.get(path("_stats")).json == {"count": 0, "jobs": []}
        for job_id in ("b", "a-1", "a"):
            d.put_job(job_id, dict(job(), groups=["team"]
                if job_id == "b" else []))
        def ids(expression, query=""):
            got = expect(200, d.get(path(expression, "/_stats" + query)))
            assert got["count"] == len(got["jobs"])
            return [j["job_id"] for j in got["jobs"]]
        assert [j["job_id"] for j in d.get(path("_stats")).json["jobs"]] == [
            "a", "a-1", "b"]
        assert ids("_all") == ids("*") == ["a", "a-1", "b"]
        assert ids("team,a") == ["a", "b"]
        assert ids("x*") == []
        for name in ("allow_no_match", "allow_no_jobs"):
            expect_error(d.get(path("x*", "/_stats?%s=false" % name)), 404,
                "resource_not_found_exception", "No known job with id 'x*'")
        expect_error(d.get(path("c", "/_stats")), 404,
            "resource_not_found_exception", "No known job with id 'c'")
        expect_error(d.get(path("a", "/_stats?allow_no_match=1")), 400,
            "illegal_argument_exception", "Failed to parse value [1] as only "
            "[true] or [false] are allowed.")


# ---- info

def test_info():
    with Daemon() as d:
        for base in (ML, XPACK):
            got = expect(200, d.get(base + "/info"))
            assert list(got) == ["defaults", "upgrade_mode", "native_code",
                "limits"], got
            detectors = got["defaults"]["anomaly_detectors"]
            analyzer = detectors.pop("categorization_analyzer")
            retention = {"model_snapshot_retention_days": 1} \
                if base == XPACK else {"model_snapshot_retention_days": 10,
                "daily_model_snapshot_retention_after_days": 1}
            assert detectors == {"model_memory_limit": "1gb",
                "categorization_examples_limit": 4, **retention}, detectors
            put = d.put_job("j", {"analysis_config": {"detectors": [
                {"function": "count"}]}, "data_description": {}}, base=base)
            assert {k: v for k, v in put.items() if "retention" in k} == \
                retention, put
            d.delete_job("j", base=base)
            assert analyzer["tokenizer"] == "ml_standard"
            assert analyzer["char_filter"] == ["first_line_with_letters"]
            assert "Monday" in analyzer["filter"][0]["stopwords"]
            assert got["defaults"]["datafeeds"] == {"scroll_size": 1000}
            assert got["upgrade_mode"] is False
            native = got["native_code"]
            assert re.fullmatch(r"\d+\.\d+\.\d+\S*", native["version"])
            assert re.fullmatch(r"[0-9a-f]{40}", native["build_hash"])
            assert set(native["build_hash"]) != {"0"}
            limits = got["limits"]
            assert set(limits) == {"effective_max_model_memory_limit",
                "total_ml_memory", "max_single_ml_node_processors",
                "total_ml_processors"}, limits
            memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
            assert limits["total_ml_memory"] == "%dmb" % (memory >> 20)
            assert re.fullmatch(r"\d+mb",
                limits["effective_max_model_memory_limit"])
            processors = len(os.sched_getaffinity(0))
            assert limits["max_single_ml_node_processors"] == processors
            assert limits["total_ml_processors"] == processors


def test_analyzer_of_info_is_the_one_that_jobs_get():
    with Daemon() as d:
        put = d.put_job("j", {"analysis_config": {"detectors": [
            {"function": "count", "by_field_name": "mlcategory"}],
            "categorization_field_name": "message"}, "data_description": {}})
        info = d.get(ML + "/info").json["defaults"]["anomaly_detectors"]
        assert put["analysis_config"]["categorization_analyzer"] == \
            info["categorization_analyzer"]


def test_info_knows_the_configured_maximum():
    for most, preset, effective in (("512mb", "512mb", "512mb"),
            ("1.5gb", "1gb", "1536mb")):
        with Daemon(max_model_memory_limit=most) as d:
            got = d.get(ML + "/info").json
            assert got["defaults"]["anomaly_detectors"][
                "model_memory_limit"] == preset, got
            limits = got["limits"]
            assert limits["max_model_memory_limit"] == effective, limits
            assert limits["effective_max_model_memory_limit"] == effective
            # What a job gets that does not ask is what was told.
            put = d.put_job("j", job())
            assert put["analysis_limits"]["model_memory_limit"] == "%dmb" % (
                512 if preset == "512mb" else 1024), put


# ---- memory/_stats

BYTES = [("mem", "total"), ("mem", "adjusted_total"), ("mem", "ml", "max"),
    ("mem", "ml", "native_code_overhead"), ("mem", "ml", "anomaly_detectors"),
    ("mem", "ml", "data_frame_analytics"), ("mem", "ml", "native_inference"),
    ("jvm", "heap_max"), ("jvm", "java_inference_max"),
    ("jvm", "java_inference")]


def node_of(answer):
    assert answer["_nodes"] == {"total": 1, "successful": 1, "failed": 0}
    assert answer["cluster_name"] == "anomd"
    [node] = answer["nodes"].values()
    return node


def test_memory_of_jobs():
    with Daemon() as d:
        node = node_of(expect(200, d.get(ML + "/memory/_stats")))
        assert list(node) == ["name", "ephemeral_id", "transport_address",
            "attributes", "roles", "mem", "jvm"], node
        assert node["roles"] == ["master", "ml"]
        assert all(name.startswith("ml.") for name in node["attributes"])
        for at in BYTES:
            part = node
            for name in at[:-1]:
                part = part[name]
            assert isinstance(part[at[-1] + "_in_bytes"], int), at
            assert at[-1] not in part or at[-1] == "ml", at
        ml = node["mem"]["ml"]
        assert ml["anomaly_detectors_in_bytes"] == 0
        assert ml["native_code_overhead_in_bytes"] == 0
        assert node["mem"]["total_in_bytes"] == os.sysconf(
            "SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        for job_id in ("a", "b"):
            d.make_job(job_id, job(span="1m"))
            d.post(job_id, [{"time": T0 + 60 * i, "v": i} for i in range(5)])
        ml = node_of(d.get(ML + "/memory/_stats").json)["mem"]["ml"]
        used = [d.stats(j)["model_size_stats"]["model_bytes"] for j in "ab"]
        assert ml["anomaly_detectors_in_bytes"] == sum(used), (ml, used)
        overhead = ml["native_code_overhead_in_bytes"]
        assert overhead > 0
        d.close_job("a")
        ml = node_of(d.get(ML + "/memory/_stats").json)["mem"]["ml"]
        assert ml["anomaly_detectors_in_bytes"] == used[1]
        assert ml["native_code_overhead_in_bytes"] * 2 == overhead


def test_memory_for_people():
    with Daemon() as d:
        node = node_of(d.get(ML + "/memory/_stats?human").json)
        for at in BYTES:
            part = node
            for name in at[:-1]:
                part = part[name]
            assert re.fullmatch(r"\d+(\.\d)?[kmgtp]?b", part[at[-1]]), at
            keys = list(part)
            assert keys.index(at[-1]) + 1 == keys.index(
                at[-1] + "_in_bytes"), keys


def test_memory_of_chosen_nodes():
    with Daemon() as d:
        whole = d.get(ML + "/memory/_stats").json
        [node_id] = whole["nodes"]
        name = whole["nodes"][node_id]["name"]
        for chosen in (node_id, name, "_local", "_all", "_master", "*",
                "ml:true", name[0] + "*", "other," + node_id):
            got = expect(200, d.get(ML + "/memory/%s/_stats" % chosen))
            assert got == whole, chosen
        for chosen in ("other", "ml:false", "data:true", "x*,y"):
            got = expect(200, d.get(ML + "/memory/%s/_stats" % chosen))
            assert got == {"_nodes": {"total": 0, "successful": 0,
                "failed": 0}, "cluster_name": "anomd", "nodes": {}}, chosen


def test_parameters_of_memory():
    with Daemon() as d:
        at = ML + "/memory/_stats"
        expect(200, d.get(at + "?master_timeout=1m&timeout=5s"))
        for name in ("master_timeout", "timeout"):
            expect_error(d.get(at + "?%s=soon" % name), 400,
                "illegal_argument_exception", "failed to parse setting [%s] "
                "with value [soon] as a time value: unit is missing or "
                "unrecognized" % name)
        expect_error(d.get(at + "?tmeout=5s"), 400,
            "illegal_argument_exception", "request [/_ml/memory/_stats] "
            "contains unrecognized parameter: [tmeout] -> did you mean "
            "[timeout]?")
        assert d.get(XPACK + "/memory/_stats").status == 400
        got = d.request("POST", at)
        assert got.status == 405 and got.headers["allow"] == "GET,HEAD", got
