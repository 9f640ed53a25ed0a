"""Configurations: what is checked, printed, listed, and put again."""

import random

from harness import *


def path(job_id, rest="", base=ML):
    return "%s/anomaly_detectors/%s%s" % (base, job_id, rest)


def innermost(response):
    """Type and reason at the end of the chain of causes."""
    error = response.error
    while "caused_by" in error:
        error = error["caused_by"]
    return error["type"], error["reason"]


def config(detector=None, analysis=None, **top):
    """A configuration of one detector, count unless told otherwise."""
    return dict({"analysis_config": dict({"detectors": [detector or {
        "function": "count"}]}, **(analysis or {})),
        "data_description": {}}, **top)


# ---- the greatest memory limit

def test_greatest_memory_limit():
    with Daemon(max_model_memory_limit="9gb") as d:
        got = d.put_job("default", config())
        assert got["analysis_limits"]["model_memory_limit"] == "1024mb", got
        got = d.put_job("most", config(analysis_limits={
            "model_memory_limit": "9gb"}))
        assert got["analysis_limits"]["model_memory_limit"] == "9216mb", got
        for method, where in (("PUT", path("more")),
                ("POST", path("_validate"))):
            response = d.request(method, where, config(analysis_limits={
                "model_memory_limit": "10gb"}))
            expect_error(response, 400, "status_exception",
                "model_memory_limit [10gb] must be less than the value of "
                "the xpack.ml.max_model_memory_limit setting [9gb]")
        d.options["max_model_memory_limit"] = "512mb"
        d.restart()
        got = d.put_job("small", config())
        assert got["analysis_limits"]["model_memory_limit"] == "512mb", got
        got = d.get(path("most")).json["jobs"][0]
        assert got["analysis_limits"]["model_memory_limit"] == "9216mb", got
        expect(200, d.request("POST", path("most", "/_update"),
            {"description": "keeps what it has"}))


# ---- the time zone

def zoned(zone):
    return config(custom_settings={"before": 1, "time_zone": zone,
        "behind": 2})


BAD_ZONES = (
    ("Europe/Berlim", "custom_settings.time_zone [Europe/Berlim] is no time "
        "zone of this machine; use a name of the IANA database, such as "
        "[Europe/Berlin] or [UTC]"),
    ("../../etc/passwd", "custom_settings.time_zone [../../etc/passwd] is no "
        "time zone of this machine; use a name of the IANA database, such as "
        "[Europe/Berlin] or [UTC]"),
    (7, "custom_settings.time_zone has to be a string, the name of a time "
        "zone such as [Europe/Berlin] or [UTC], not VALUE_NUMBER"),
)


def test_time_zone_is_one_of_the_machine():
    with tempfile.TemporaryDirectory() as zones:
        os.mkdir(os.path.join(zones, "Europe"))
        with open(os.path.join(zones, "Europe", "Berlin"), "wb") as f:
            f.write(b"TZif2" + bytes(39))
        with Daemon(env={"TZDIR": zones}) as d:
            got = d.put_job("j", zoned("Europe/Berlin"))
            assert list(got["custom_settings"]) == ["before", "time_zone",
                "behind"], got
            d.put_job("utc", zoned("UTC"))
            for zone, reason in BAD_ZONES:
                for method, where, body in (
                        ("PUT", path("bad"), zoned(zone)),
                        ("POST", path("_validate"), zoned(zone)),
                        ("POST", path("j", "/_update"), {
                            "custom_settings": {"time_zone": zone}})):
                    response = d.request(method, where, body)
                    assert response.status == 400, (zone, response)
                    assert innermost(response) == (
                        "illegal_argument_exception", reason), response
                    assert response.error["reason"].endswith(
                        "failed to parse field [custom_settings]"), response
            got = d.get(path("j")).json["jobs"][0]["custom_settings"]
            assert got["time_zone"] == "Europe/Berlin", got


def test_machine_without_zone_data():
    with tempfile.TemporaryDirectory() as empty, \
            Daemon(env={"TZDIR": empty}) as d:
        assert "no time zones are known but UTC" in d.log(), d.log()
        d.put_job("utc", zoned("UTC"))
        assert innermost(d.request("PUT", path("j"),
            zoned("Europe/Berlin"))) == ("illegal_argument_exception",
            "custom_settings.time_zone [Europe/Berlin] is not known: this "
            "machine has no time zone data; install it (tzdata) and start "
            "anomd again, or use [UTC]")


def test_stored_zone_outlives_its_data():
    with tempfile.TemporaryDirectory() as zones:
        name = os.path.join(zones, "Gone")
        with open(name, "wb") as f:
            f.write(b"TZif")
        with Daemon(env={"TZDIR": zones}) as d:
            d.put_job("j", zoned("Gone"))
            os.unlink(name)
            d.restart()
            assert d.get(path("j")).json["count"] == 1
            expect(200, d.request("POST", path("j", "/_update"),
                {"description": "x"}))


# ---- _validate

def test_validate_answers_without_keeping_anything():
    with Daemon() as d:
        for base in (ML, XPACK):
            for body in (config(), config(job_id="any"),
                    job(by_field_name="k")):
                assert expect(200, d.request("POST", path("_validate",
                    base=base), body)) == {"acknowledged": True}
            assert expect(200, d.request("POST", path("_validate/detector",
                base=base), {"function": "mean", "field_name": "v"})) == {
                "acknowledged": True}
        d.put_job("taken", config())
        expect(200, d.request("POST", path("_validate"),
            config(job_id="taken")))
        assert d.get(path("_all")).json["count"] == 1


INVALID = (
    (config(job_id="_"), "illegal_argument_exception", "Invalid job_id; '_' "
        "can contain lowercase alphanumeric (a-z and 0-9), hyphens or "
        "underscores; must start and end with alphanumeric"),
    ({}, "illegal_argument_exception", "An analysis_config must be set"),
    (config({"function": "mean", "by_field_name": "a"}), "status_exception",
        "field_name must be set when the 'mean' function is used"),
    (config(analysis={"detectors": [{"function": "count"}] * 2}),
        "illegal_argument_exception",
        "Duplicate detectors are not allowed: [count]"),
    (config(datafeed_config={"indices": ["x"]}), "status_exception",
        "[datafeed_config] is not supported: anomd has no datafeeds, records "
        "are sent to the job with _data"),
    (config(create_time=1), "x_content_parse_exception",
        "[1:85] [job_details] unknown field [create_time]"),
)


def test_validate_refuses_as_put_does():
    with Daemon() as d:
        for body, kind, reason in INVALID:
            response = d.request("POST", path("_validate"), body)
            assert response.status == 400, (body, response)
            assert innermost(response) == (kind, reason), (body, response)
        expect_error(d.request("POST", path("_validate", base=XPACK),
            config(create_time=1)), 400, "illegal_argument_exception",
            "The job is configured with fields [create_time] that are "
            "illegal to set at job creation")
        for where in ("_validate", "_validate/detector"):
            expect_error(d.request("POST", path(where)), 400,
                "parse_exception", "request body is required")
            expect_error(d.request("POST", path(where, "?bogus=1"), {}), 400,
                "illegal_argument_exception", "request [%s] contains "
                "unrecognized parameter: [bogus]" % path(where))
            response = d.get(path(where))
            assert response.status == 405, response
            assert response.headers["allow"] == "POST", response.headers


def test_detector_is_refused_with_its_bare_message():
    with Daemon() as d:
        for detector, reason in (
                ({"function": "mean", "by_field_name": "airline"},
                    "field_name must be set when the 'mean' function is "
                    "used"),
                ({"function": "count", "by_field_name": "a",
                    "over_field_name": "a"},
                    "by_field_name and over_field_name cannot be the same: "
                    "'a'")):
            expect_error(d.request("POST", path("_validate/detector"),
                detector), 400, "status_exception", reason)
        response = d.request("POST", path("_validate/detector"),
            {"function": "nonsense"})
        assert innermost(response) == ("illegal_argument_exception",
            "Unknown function 'nonsense'"), response


# ---- lists and expressions

GROUPS = (("foo-1", ["foo-group", "ones"]), ("foo-2", ["foo-group", "twos"]),
    ("bar-1", ["bar-group", "ones"]), ("bar-2", ["bar-group", "twos"]),
    ("nogroup", []))

EXPRESSIONS = (
    ("", ["bar-1", "bar-2", "foo-1", "foo-2", "nogroup"]),
    ("_all", ["bar-1", "bar-2", "foo-1", "foo-2", "nogroup"]),
    ("*", ["bar-1", "bar-2", "foo-1", "foo-2", "nogroup"]),
    ("ones", ["bar-1", "foo-1"]),
    ("*-group", ["bar-1", "bar-2", "foo-1", "foo-2"]),
    ("bar-group,nogroup", ["bar-1", "bar-2", "nogroup"]),
    ("foo-1", ["foo-1"]),
    ("foo-1,foo-1,ones", ["bar-1", "foo-1"]),
    ("foo-*", ["foo-1", "foo-2"]),
    ("*o*-1", ["foo-1"]),
    ("%20foo-1%20,,%20bar-2,", ["bar-2", "foo-1"]),
    ("nothing*", []),
    ("nothing*,twos", ["bar-2", "foo-2"]),
    ("_all,foo-1", None),
    ("foo-%3F", None),
    ("absent", None),
    ("absent,foo-1", None),
    ("absent*,missing", None),
)


def ids(d, where):
    got = expect(200, d.get(where))
    assert got["count"] == len(got["jobs"]), got
    return [j["job_id"] for j in got["jobs"]]


def test_expressions_name_jobs_groups_and_wildcards():
    with Daemon() as d:
        for name, groups in GROUPS:
            d.put_job(name, config(groups=groups))
        for expression, wanted in EXPRESSIONS:
            for rest in ("", "/_stats"):
                for base in (ML, XPACK):
                    where = path(expression, rest, base)
                    if expression == "":
                        where = base + "/anomaly_detectors" + rest
                    if wanted is None:
                        response = d.get(where)
                        assert response.status == 404, (where, response)
                    else:
                        assert ids(d, where) == wanted, where
        expect_error(d.get(path("absent,foo-1,missing")), 404,
            "resource_not_found_exception",
            "No known job with id 'absent,missing'")


def test_what_must_match_something():
    with Daemon() as d:
        for where in (ML + "/anomaly_detectors", path("_all"), path("*"),
                path("x*"), path("_all", "/_stats")):
            assert ids(d, where) == [], where
            assert ids(d, where + "?allow_no_match=true") == [], where
            assert ids(d, where + "?allow_no_jobs=true") == [], where
        for name in ("allow_no_match", "allow_no_jobs"):
            for expression, shown in (("_all", "*"), ("*", "*"),
                    ("x*", "x*"), ("x*,y*", "x*,y*")):
                expect_error(d.get(path(expression, "?%s=false" % name)),
                    404, "resource_not_found_exception",
                    "No known job with id '%s'" % shown)
        d.put_job("xa", config())
        expect_error(d.get(path("x*,y*", "?allow_no_match=false")), 404,
            "resource_not_found_exception", "No known job with id 'y*'")
        assert ids(d, path("x*", "?allow_no_match=false")) == ["xa"]
        assert expect(200, d.request("POST", path("missing-*", "/_close"))) \
            == {"closed": True}
        expect_error(d.request("POST", path("missing-*",
            "/_close?allow_no_match=false")), 404,
            "resource_not_found_exception",
            "No known job with id 'missing-*'")
        expect_error(d.get(path("xa", "?allow_no_match=maybe")), 400,
            "illegal_argument_exception", "Failed to parse value [maybe] as "
            "only [true] or [false] are allowed.")


def test_jobs_are_sorted_by_bytes():
    with Daemon() as d:
        for name in ("jobs-get", "job-stats", "a", "0", "a.b", "a_b"):
            d.put_job(name, config())
        assert ids(d, path("_all")) == ["0", "a", "a.b", "a_b", "job-stats",
            "jobs-get"]


def test_generated_members_are_left_out():
    with Daemon() as d:
        settings = {"z": 1, "created_by": "a page", "a": 2}
        d.put_job("j", config(custom_settings=settings, groups=["g"],
            results_index_name="mine"))
        d.open_job("j")
        d.close_job("j")
        whole = d.get(path("j")).json["jobs"][0]
        assert {"job_id", "job_type", "job_version", "create_time",
            "finished_time"} <= whole.keys(), whole
        for query in ("?exclude_generated", "?exclude_generated=true"):
            plain = d.get(path("j", query)).json["jobs"][0]
            assert list(plain["custom_settings"]) == ["z", "a"], plain
            assert not {"job_id", "job_type", "job_version", "create_time",
                "finished_time", "model_snapshot_id"} & plain.keys(), plain
        assert d.get(path("j", "?exclude_generated=false")).json["jobs"] == [
            whole]
        plain["groups"] = ["h"]
        again = d.put_job("k", plain)
        for key, value in plain.items():
            assert again[key] == value, (key, again)


# ---- what the reference lists as test vectors

def test_ids_and_groups_that_are_none():
    with Daemon() as d:
        response = d.request("PUT", path("_"), config())
        assert response.status == 400 and response.error["reason"].startswith(
            "Invalid job_id; '_' can contain "), response
        for group in ("___", ""):
            response = d.request("PUT", path("j"), config(groups=[group]))
            assert response.status == 400, response
            assert response.error["reason"].startswith(
                "Invalid group id '%s'; " % group), response


def test_durations_are_printed_as_given():
    with Daemon() as d:
        got = d.put_job("j", config(analysis={"bucket_span": "3600000ms"},
            background_persist_interval="2h"))
        assert got["analysis_config"]["bucket_span"] == "3600000ms", got
        assert got["background_persist_interval"] == "2h", got
        got = expect(200, d.request("POST", path("j", "/_update"),
            {"background_persist_interval": "3h"}))
        assert got["background_persist_interval"] == "3h", got


def test_prune_window_of_new_jobs_and_updates():
    with Daemon() as d:
        d.put_job("j", config(analysis={"bucket_span": "5m"}))
        for window, reason in (("12h", None),
                ("5m", "model_prune_window [5m] must be at least 2 times "
                    "greater than bucket_span [5m]"),
                ("2m", "model_prune_window [2m] must be a multiple of "
                    "bucket_span [5m]"),
                ("8w", "failed to parse setting [model_prune_window] with "
                    "value [8w] as a time value: unit is missing or "
                    "unrecognized")):
            answers = [d.request("POST", path("j", "/_update"),
                {"model_prune_window": window}),
                d.request("POST", path("_validate"), config(analysis={
                    "bucket_span": "5m", "model_prune_window": window}))]
            for response in answers:
                if reason is None:
                    assert response.status == 200, response
                else:
                    assert response.status == 400, response
                    assert innermost(response)[1] == reason, response


def test_short_names_of_functions():
    with Daemon() as d:
        got = d.put_job("j", config({"function": "nzc",
            "by_field_name": "airline"}))["analysis_config"]["detectors"][0]
        assert got["function"] == "non_zero_count", got
        assert got["detector_description"] == "non_zero_count by airline", got


# ---- generated ones; tests/test_jobconf_gen.c has thousands without a daemon

def shuffled(rng, members):
    """The same object with its members in another order."""
    keys = list(members)
    rng.shuffle(keys)
    return {key: shuffled(rng, members[key]) if isinstance(members[key], dict)
        else members[key] for key in keys}


def choose(rng, **members):
    """Some of the members; a value is one of its list."""
    return {key: rng.choice(values) for key, values in members.items()
        if rng.random() < 0.5}


def random_config(rng):
    """Always valid."""
    functions = (("count", None), ("nzc", None), ("high_mean", "v"),
        ("dc", "w"), ("lat_long", "where"), ("time_of_day", None))
    detectors = []
    for i, (function, field) in enumerate(rng.sample(functions,
            rng.randint(1, 3))):
        detectors.append(dict({"function": function}, **choose(rng,
            by_field_name=["host", "caf\u00e9 \u20ac"],
            partition_field_name=["zone.a", "p"], use_null=[True, "false"],
            exclude_frequent=["ALL", "none"], detector_index=[-1, 7],
            custom_rules=[[], [{"conditions": [{"applies_to": "time",
                "operator": "GT", "value": "5"}]}]])))
        if field:
            detectors[-1]["field_name"] = field
    analysis = dict({"detectors": detectors}, **choose(rng,
        bucket_span=["5m", "300s", "300000ms", "1h"],
        influencers=[[], ["host", "x"]], latency=["0s", "10m"],
        model_prune_window=["12h", "30d"]))
    return dict({"analysis_config": analysis,
        "data_description": choose(rng, time_field=["ts"],
            time_format=["epoch", "epoch_ms", "yyyy-MM-dd HH:mm:ssX"])},
        **choose(rng, description=["", "caf\u00e9", None], groups=[[], ["g"]],
            analysis_limits=[{"model_memory_limit": "77mb"},
                {"model_memory_limit": 9, "categorization_examples_limit": 0}],
            model_plot_config=[{"enabled": True}], allow_lazy_open=["true"],
            results_retention_days=["7", 7.9], custom_settings=[{"z": 1,
                "a": {"created_by": 1}, "created_by": "x"}],
            background_persist_interval=["1h", "3600s"],
            model_snapshot_retention_days=[1, 5],
            results_index_name=["mine", "custom-mine", "shared"]))


def without(job, *names):
    return {key: value for key, value in job.items() if key not in names}


def test_generated_configurations_are_put_again_as_they_are():
    rng = random.Random(20240)
    with Daemon() as d:
        for i in range(60):
            body = random_config(rng)
            expect(200, d.request("POST", path("_validate"), body))
            first = d.put_job("first-%d" % i, body)
            second = d.put_job("second-%d" % i, shuffled(rng, body))
            plain = d.get(path("first-%d" % i, "?exclude_generated")).json[
                "jobs"][0]
            again = d.put_job("again-%d" % i, plain)
            for other in (second, again):
                want = without(first, "job_id", "create_time")
                if other is again and "custom_settings" in want:
                    want["custom_settings"] = without(
                        want["custom_settings"], "created_by")
                assert without(other, "job_id", "create_time") == want, body
        count = d.get(path("_all")).json["count"]
        d.restart()
        assert d.get(path("_all")).json["count"] == count == 180
