"""GET _cat/ml/anomaly_detectors."""

from harness import *

CAT = "/_cat/ml/anomaly_detectors"
T0 = 1403481600


def table(d, rest=""):
    """The lines of a table."""
    got = d.get(CAT + rest)
    assert got.status == 200, got
    assert got.headers["content-type"] == "text/plain; charset=UTF-8", got
    text = got.body.decode()
    assert text == "" or text.endswith("\n"), text
    return text.split("\n")[:-1]


def rows(d, rest=""):
    """The same, as words."""
    return [line.split() for line in table(d, rest)]


def two_jobs(d):
    """An open one with data, and a closed one without."""
    d.make_job("open-job", job(span="1m"))
    d.post("open-job", [{"time": T0 + 30 * i, "v": i} for i in range(20)])
    d.put_job("closed", dict(job(), groups=["team"]))


def test_default_columns():
    with Daemon() as d:
        assert table(d) == []
        assert rows(d, "?v") == [["id", "state", "data.processed_records",
            "model.bytes", "model.memory_status", "forecasts.total",
            "buckets.count"]]
        two_jobs(d)
        head, closed, opened = table(d, "?v")
        assert closed == ("closed   closed 0                      0b      "
            "                     ok 0               0"), closed
        assert re.fullmatch(r"open-job opened 20 {21}\S+ +ok 0 {15}9",
            opened), opened
        assert len(head) == len(closed) + len("buckets.count") - 1
        # Without the header columns are only as wide as what is in them.
        assert table(d)[0].startswith("closed   closed 0  0b "), table(d)


def test_columns_by_name_alias_and_wildcard():
    with Daemon() as d:
        two_jobs(d)
        assert table(d, "?v&h=id,s") == ["id            s",
            "closed   closed", "open-job opened"]
        assert rows(d, "?v&h=dpr,dataProcessedFields,bc")[2] == [
            "20", "20", "9"]
        assert rows(d, "?v&h=data.inp*,bucketsC*")[0] == ["data.input_bytes",
            "data.input_records", "data.input_fields", "buckets.count"]
        assert len(rows(d, "?v&h=*")[0]) == len(rows(d, "?help"))
        # What is not there is not shown.
        assert rows(d, "?h=id,nothing") == [["closed"], ["open-job"]]


def test_every_alias_finds_its_column():
    with Daemon() as d:
        two_jobs(d)
        owner = {}
        for line in table(d, "?help"):
            name, aliases, _ = [part.strip() for part in line.split(" | ")]
            owner[name] = name
            # Two columns have "mfcc": the later one gets it.
            owner.update({a: name for a in aliases.split(",") if a})
        everything = d.get(CAT + "/open-job?format=json&h=*").json[0]
        got = d.get(CAT + "/open-job?format=json&h=" + ",".join(
            owner)).json[0]
        assert set(got) == set(owner)
        for alias, name in owner.items():
            if name != "opened_time":
                assert got[alias] == everything[name], alias
        for alias, name in (("s", "state"), ("ot", "opened_time"),
                ("ae", "assignment_explanation"), ("mb", "model.bytes"),
                ("modelMemoryLimit", "model.memory_limit"),
                ("mfcc", "model.failed_category_count"),
                ("bteah", "buckets.time.exp_avg_hour"),
                ("bucketsTimeTotal", "buckets.time.total")):
            assert owner[alias] == name, alias


def test_columns_say_what_stats_says():
    with Daemon() as d:
        two_jobs(d)
        # A forced look at the numbers, in plain units.
        row = d.get(CAT + "/open-job?format=json&h=*&bytes=b&time=ms").json[0]
        stats = d.stats("open-job")
        counts, size = stats["data_counts"], stats["model_size_stats"]
        for column, value in (
                ("data.processed_records", counts["processed_record_count"]),
                ("data.processed_fields", counts["processed_field_count"]),
                ("data.input_bytes", counts["input_bytes"]),
                ("data.input_records", counts["input_record_count"]),
                ("data.input_fields", counts["input_field_count"]),
                ("data.invalid_dates", counts["invalid_date_count"]),
                ("data.missing_fields", counts["missing_field_count"]),
                ("data.out_of_order_timestamps",
                    counts["out_of_order_timestamp_count"]),
                ("data.empty_buckets", counts["empty_bucket_count"]),
                ("data.sparse_buckets", counts["sparse_bucket_count"]),
                ("data.buckets", counts["bucket_count"]),
                ("model.bytes", size["model_bytes"]),
                ("model.bytes_exceeded", size["model_bytes_exceeded"]),
                ("model.memory_limit", size["model_bytes_memory_limit"]),
                ("model.memory_status", size["memory_status"]),
                ("model.by_fields", size["total_by_field_count"]),
                ("model.over_fields", size["total_over_field_count"]),
                ("model.partition_fields",
                    size["total_partition_field_count"]),
                ("model.categorization_status",
                    size["categorization_status"]),
                ("state", "opened"), ("assignment_explanation", ""),
                ("forecasts.total", 0), ("forecasts.memory.max", None),
                ("node.id", stats["node"]["id"]),
                ("node.name", stats["node"]["name"]),
                ("node.ephemeral_id", stats["node"]["ephemeral_id"]),
                ("node.address", stats["node"]["transport_address"]),
                ("buckets.count", stats["timing_stats"]["bucket_count"]),
                ("buckets.time.max", int(stats["timing_stats"][
                    "maximum_bucket_processing_time_ms"])),
                ("buckets.time.exp_avg", stats["timing_stats"][
                    "exponential_average_bucket_processing_time_ms"])):
            wanted = None if value is None else str(value)
            assert row[column] == wanted, (column, row[column], value)
        assert row["data.earliest_record"] == "2014-06-23T00:00:00.000Z"
        assert row["data.latest_record"] == "2014-06-23T00:09:30.000Z"
        assert re.fullmatch(r"\d+", row["opened_time"]), row


def test_closed_job_leaves_out_what_it_does_not_have():
    with Daemon() as d:
        d.put_job("j", job())
        [row] = d.get(CAT + "?format=json&h=*").json
        for column in ("opened_time", "assignment_explanation", "node.id",
                "node.address", "data.earliest_record", "model.memory_limit",
                "model.timestamp", "buckets.time.min",
                "buckets.time.exp_avg"):
            assert row[column] is None, column
        assert row["buckets.time.exp_avg_hour"] == "0.0"
        assert row["buckets.time.total"] == "0s"
        assert table(d, "?h=id,node.name,state") == ["j  closed"]


def test_sorting():
    with Daemon() as d:
        two_jobs(d)
        d.put_job("another", job())
        assert rows(d, "?h=id") == [["another"], ["closed"], ["open-job"]]
        assert rows(d, "?h=id&s=id:desc") == [["open-job"], ["closed"],
            ["another"]]
        assert rows(d, "?h=id&s=dpr:desc,id:desc") == [["open-job"],
            ["closed"], ["another"]]
        assert rows(d, "?h=id&s=state,dataProcessedRecords:asc") == [
            ["another"], ["closed"], ["open-job"]]
        expect_error(d.get(CAT + "?s=id,nothing:desc"), 400,
            "illegal_argument_exception",
            "Unable to sort by unknown sort key `nothing`")


def test_units():
    with Daemon() as d:
        d.make_job("j", job())
        line = json.dumps({"time": T0, "v": 1}) + "\n"
        body = line + " " * (3 * 1024 * 1024 - len(line))
        d.post("j", body)
        def shown(query):
            return rows(d, "?h=data.input_bytes" + query)[0][0]
        assert shown("") == "3mb"
        assert shown("&bytes=b") == str(3 * 1024 * 1024)
        assert shown("&bytes=kb") == shown("&bytes=k") == "3072"
        assert shown("&bytes=gb") == "0"
        assert re.fullmatch(r"[\d.]+(ms|s|m)", rows(d, "?h=ot")[0][0])
        assert rows(d, "?h=ot&time=d") == [["0"]]
        expect_error(d.get(CAT + "?bytes=many"), 400,
            "illegal_argument_exception", "parameter [bytes] with value "
            "[many] is no unit; use one of [b, kb, mb, gb, tb, pb]")
        expect_error(d.get(CAT + "?time=w"), 400,
            "illegal_argument_exception", "parameter [time] with value [w] is "
            "no unit; use one of [d, h, m, s, ms, micros, nanos]")


def test_json_instead_of_a_table():
    with Daemon() as d:
        two_jobs(d)
        wanted = [{"id": "closed", "s": "closed"},
            {"id": "open-job", "s": "opened"}]
        got = d.get(CAT + "?format=json&h=id,s")
        assert got.json == wanted, got
        assert got.headers["content-type"].startswith("application/json")
        got = d.get(CAT + "?h=id,s", headers={"Accept": "application/json"})
        assert got.json == wanted, got
        got = d.get(CAT + "?format=json&h=id,s&s=s:desc&filter_path=s")
        assert got.json == [{"s": "opened"}, {"s": "closed"}], got
        for accept in ("text/plain", "*/*", "text/plain,application/json"):
            got = d.get(CAT + "?h=id", headers={"Accept": accept})
            assert got.body == b"closed\nopen-job\n", got
        assert d.get(CAT + "?h=id&format=text",
            headers={"Accept": "application/json"}).body == \
            b"closed\nopen-job\n"
        got = d.get(CAT + "?format=yaml&h=id,ot")
        assert got.headers["content-type"].startswith("application/yaml")
        assert got.body.decode().split("\n")[:3] == ["---",
            '- id: "closed"', "  ot: null"], got
        expect_error(d.get(CAT + "?format=xml"), 400,
            "illegal_argument_exception", "Failed to parse value [xml] of "
            "the parameter [format] as only [json], [text] or [yaml] are "
            "allowed.")


def test_help_lists_the_columns():
    with Daemon() as d:
        lines = table(d, "?help")
        assert len(lines) == 60, len(lines)
        assert re.fullmatch(r"id +\| +\| job id", lines[0]), lines[0]
        assert lines[1].startswith("state "), lines[1]
        assert " | s " in lines[1]
        assert len({line.index("|") for line in lines}) == 1
        # No job is looked at.
        assert table(d, "/nothing?help=true") == lines
        assert table(d, "?help=false") == []
        expect_error(d.get(CAT + "?help=yes"), 400,
            "illegal_argument_exception", "Failed to parse value [yes] as "
            "only [true] or [false] are allowed.")


def test_which_jobs():
    with Daemon() as d:
        two_jobs(d)
        for expression, wanted in (("", 2), ("/_all", 2), ("/*", 2),
                ("/open*", 1), ("/team", 1), ("/closed,open-job", 2),
                ("/x*", 0)):
            assert len(table(d, expression + "?h=id")) == wanted, expression
        expect_error(d.get(CAT + "/nobody"), 404,
            "resource_not_found_exception",
            "No known job with id 'nobody'")
        for name in ("allow_no_match", "allow_no_jobs"):
            expect_error(d.get(CAT + "/x*?%s=false" % name), 404,
                "resource_not_found_exception", "No known job with id 'x*'")
            assert table(d, "/x*?%s=true" % name) == []
        expect_error(d.get(CAT + "?colour=red"), 400,
            "illegal_argument_exception", "request "
            "[/_cat/ml/anomaly_detectors] contains unrecognized parameter: "
            "[colour]")
        got = d.request("POST", CAT)
        assert got.status == 405 and got.headers["allow"] == "GET,HEAD", got
        assert d.request("HEAD", CAT).status == 200
