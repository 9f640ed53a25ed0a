"""Changing the configuration of jobs that are there."""

import threading

from harness import *

T0 = 1403481600


def path(job_id, rest="", base=ML):
    return "%s/anomaly_detectors/%s%s" % (base, job_id, rest)


def update(d, job_id, body, base=ML):
    return d.request("POST", path(job_id, "/_update", base), body)


def innermost(response):
    """Type and reason at the end of the chain of causes."""
    error = response.error
    while "caused_by" in error:
        error = error["caused_by"]
    return error["type"], error["reason"]


# Each of its own: the body, and what the job then has.
UPDATES = (
    ({"description": "Post update description"},
        {"description": "Post update description"}),
    ({"groups": ["group-1", "group-2"]}, {"groups": ["group-1", "group-2"]}),
    ({"custom_settings": {"z": "custom3", "a": {"b": [1, None]}}},
        {"custom_settings": {"z": "custom3", "a": {"b": [1, None]}}}),
    ({"model_plot_config": {"enabled": False, "terms": "foobar"}},
        {"model_plot_config": {"enabled": False, "terms": "foobar",
            "annotations_enabled": False}}),
    ({"analysis_limits": {"model_memory_limit": "20mb"}},
        {"analysis_limits": {"model_memory_limit": "20mb",
            "categorization_examples_limit": 4}}),
    ({"renormalization_window_days": 10}, {"renormalization_window_days": 10}),
    ({"results_retention_days": 40}, {"results_retention_days": 40}),
    ({"model_snapshot_retention_days": 30,
        "daily_model_snapshot_retention_after_days": 2},
        {"model_snapshot_retention_days": 30,
            "daily_model_snapshot_retention_after_days": 2}),
    ({"background_persist_interval": "3h"},
        {"background_persist_interval": "3h"}),
    ({"allow_lazy_open": True}, {"allow_lazy_open": True}),
)


def test_each_field_is_replaced_and_kept():
    with Daemon() as d:
        want = d.put_job("j", dict(job(), background_persist_interval="2h"))
        for body, change in UPDATES:
            want.update(change)
            got = expect(200, update(d, "j", body))
            assert got == want, (body, got)
            assert expect(200, d.get(path("j")))["jobs"] == [want], body
        d.restart()
        got = expect(200, d.get(path("j")))["jobs"]
        assert got == [want], got
        assert list(got[0]["custom_settings"]) == ["z", "a"], "order is kept"
        assert expect(200, d.get(path("group-1")))["count"] == 1


def test_members_of_the_analysis_stand_beside_those_of_the_job():
    with Daemon() as d:
        d.put_job("j", {"analysis_config": {"detectors": [
            {"function": "mean", "field_name": "v", "by_field_name": "a"},
            {"function": "count"}]}, "data_description": {}})
        rule = {"actions": ["skip_result"], "scope": {"a": {
            "filter_id": "f", "filter_type": "include"}}}
        got = expect(200, update(d, "j", {"model_prune_window": "12h",
            "detectors": [{"detector_index": 1, "description": "number"},
                {"detector_index": 0, "custom_rules": [rule]}]}))
        analysis = got["analysis_config"]
        assert analysis["model_prune_window"] == "12h", got
        first, second = analysis["detectors"]
        assert first["custom_rules"] == [rule], got
        assert first["detector_description"] == "mean(v) by a", got
        assert second["detector_description"] == "number", got
        assert "custom_rules" not in second, got
        got = expect(200, update(d, "j", {"detectors": {"detector_index": 0,
            "custom_rules": []}}))
        assert "custom_rules" not in got["analysis_config"]["detectors"][0]


# The body, and the type and the reason at the end of the chain.
REFUSED = (
    ({"detectors": [{"detector_index": 1, "description": "x"}]},
        "status_exception",
        "Supplied detector_index [1] is >= the number of detectors [1]"),
    ({"detectors": [{"description": "x"}]}, "illegal_argument_exception",
        "Required [detector_index]"),
    ({"model_prune_window": "1h"}, "status_exception", "model_prune_window "
        "[1h] must be at least 2 times greater than bucket_span [1h]"),
    ({"model_prune_window": "90m"}, "status_exception",
        "model_prune_window [90m] must be a multiple of bucket_span [1h]"),
    ({"model_prune_window": "8w"}, "illegal_argument_exception",
        "failed to parse setting [model_prune_window] with value [8w] as a "
        "time value: unit is missing or unrecognized"),
    ({"background_persist_interval": "1m"}, "illegal_argument_exception",
        "background_persist_interval cannot be less than 3,600. Value = 60"),
    ({"daily_model_snapshot_retention_after_days": 11},
        "illegal_argument_exception",
        "The value of daily_model_snapshot_retention_after_days [11] cannot "
        "be greater than model_snapshot_retention_days [10]"),
    ({"results_retention_days": -1}, "illegal_argument_exception",
        "results_retention_days cannot be less than 0. Value = -1"),
    ({"renormalization_window_days": -1}, "illegal_argument_exception",
        "renormalization_window_days cannot be less than 0. Value = -1"),
    ({"per_partition_categorization": {"enabled": True}}, "status_exception",
        "per_partition_categorization.enabled cannot be updated: it is "
        "[false], and [true] was given"),
    ({"analysis_limits": {"model_memory_limit": "1kb"}}, "status_exception",
        "model_memory_limit must be at least 1 MiB. Value = 0"),
    ({"analysis_limits": {"model_memory_limit": "10gb"}}, "status_exception",
        "model_memory_limit [10gb] must be less than the value of the "
        "xpack.ml.max_model_memory_limit setting [9gb]"),
    ({"categorization_filters": ["x"]}, "status_exception",
        "categorization_filters require setting categorization_field_name"),
    ({"groups": ["_"]}, "illegal_argument_exception",
        "Invalid group id '_'; must be non-empty string and may contain "
        "lowercase alphanumeric (a-z and 0-9), hyphens or underscores; must "
        "start and end with alphanumeric"),
    ({"groups": ["j"]}, "resource_already_exists_exception", "job and group "
        "names must be unique but job [j] and group [j] have the same name"),
    ({"groups": ["other"]}, "resource_already_exists_exception",
        "job and group names must be unique but job [other] and group "
        "[other] have the same name"),
    ({"job_id": "k"}, "illegal_argument_exception",
        "Inconsistent job_id; 'k' specified in the body differs from 'j' "
        "specified as a URL argument"),
    ({"custom_settings": {"time_zone": "Europe/Berlim"}},
        "illegal_argument_exception",
        "custom_settings.time_zone [Europe/Berlim] is no time zone of this "
        "machine; use a name of the IANA database, such as [Europe/Berlin] "
        "or [UTC]"),
    ({"analysis_config": {}}, "x_content_parse_exception",
        "[1:2] [job_update] unknown field [analysis_config] did you mean "
        "[analysis_limits]?"),
    ({"results_index_name": "x"}, "x_content_parse_exception",
        "[1:2] [job_update] unknown field [results_index_name]"),
    ({"data_description": {}}, "x_content_parse_exception",
        "[1:2] [job_update] unknown field [data_description] did you mean "
        "[description]?"),
    ({"groups": 1}, "x_content_parse_exception", "[1:12] [job_update] groups "
        "doesn't support values of type: VALUE_NUMBER"),
)


def test_bad_updates_are_refused_and_change_nothing():
    with Daemon(max_model_memory_limit="9gb") as d:
        d.put_job("other", job())
        want = d.put_job("j", job())
        for body, kind, reason in REFUSED:
            response = update(d, "j", body)
            assert response.status == 400, (body, response)
            assert innermost(response) == (kind, reason), (body, response)
        outer = update(d, "j", {"model_prune_window": "8w"}).error["reason"]
        assert outer == ("[1:24] [job_update] failed to parse field "
            "[model_prune_window]"), outer
        assert expect(200, d.get(path("j")))["jobs"] == [want]


def test_which_job_is_meant():
    with Daemon() as d:
        d.put_job("j", job())
        expect(200, update(d, "j", {"job_id": "j", "description": "d"}))
        expect_error(update(d, "_all", {}), 400, "status_exception",
            "Cannot update more than 1 job at a time")
        for name in ("j*", "absent", "j,j"):
            expect_error(update(d, name, {}), 404,
                "resource_not_found_exception",
                "No known job with id '%s'" % name)
        expect_error(d.request("POST", path("j", "/_update")), 400,
            "parse_exception", "request body is required")
        expect_error(d.request("POST", path("j", "/_update?bogus=true"), {}),
            400, "illegal_argument_exception", "request [/_ml/"
            "anomaly_detectors/j/_update] contains unrecognized parameter: "
            "[bogus]")
        assert d.request("PUT", path("j", "/_update"), {}).status == 405


def test_old_path_updates_too():
    with Daemon() as d:
        d.put_job("j", job(), base=XPACK)
        got = expect(200, update(d, "j", {"description": "old"}, XPACK))
        assert got["description"] == "old", got
        assert "model_prune_window" not in got["analysis_config"], got
        expect_error(update(d, "j", {"nonsense": 1}, XPACK), 400,
            "x_content_parse_exception", "[1:2] [job_update] unknown field "
            "[nonsense], parser not found")


def test_open_job_takes_all_but_limits():
    with Daemon() as d:
        d.make_job("j", job())
        limits = {"analysis_limits": {"model_memory_limit": "20mb"}}
        expect_error(update(d, "j", limits), 400, "status_exception",
            "Cannot update analysis_limits while the job is open")
        got = expect(200, update(d, "j", {"description": "while open",
            "detectors": [{"detector_index": 0, "description": "x"}]}))
        assert got["description"] == "while open", got
        check_counts(d.post("j", [{"time": T0, "v": 1}]),
            processed_record_count=1)
        assert d.stats("j")["state"] == "opened"
        d.close_job("j")
        got = expect(200, update(d, "j", limits))
        assert got["analysis_limits"]["model_memory_limit"] == "20mb", got
        d.open_job("j")
        size = d.stats("j")["model_size_stats"]
        assert size["model_bytes_memory_limit"] == 20 << 20, size


def test_limit_is_not_below_what_the_models_use():
    with Daemon() as d:
        d.make_job("j", job(by_field_name="k"))
        d.post("j", [{"time": T0, "v": 1, "k": "key %d" % i}
            for i in range(20000)] + [{"time": T0 + 7200, "v": 1, "k": "x"}])
        d.close_job("j")
        used = d.stats("j")["model_size_stats"]["model_bytes"]
        assert used > 2 << 20, used
        least = -(-used // (1 << 20))
        expect_error(update(d, "j", {"analysis_limits":
            {"model_memory_limit": least - 1}}), 400, "status_exception",
            "Invalid update value for analysis_limits: model_memory_limit "
            "cannot be decreased below current usage; current usage [%dmb], "
            "update had [%dmb]" % (least, least - 1))
        expect(200, update(d, "j", {"analysis_limits":
            {"model_memory_limit": least}}))


def test_updates_at_once_are_all_applied():
    bodies = [{"description": "d"}, {"groups": ["g"]},
        {"results_retention_days": 7}, {"renormalization_window_days": 8},
        {"background_persist_interval": "5h"}, {"allow_lazy_open": True},
        {"custom_settings": {"x": 1}},
        {"detectors": [{"detector_index": 0, "description": "x"}]}] * 4
    statuses = []
    with Daemon() as d:
        d.put_job("j", job())
        threads = [threading.Thread(target=lambda body=body: statuses.append(
            update(d, "j", body).status)) for body in bodies]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert statuses == [200] * len(bodies), statuses
        for again in (False, True):
            if again:
                d.restart()
            got = expect(200, d.get(path("j")))["jobs"][0]
            assert got["description"] == "d" and got["groups"] == ["g"], got
            assert got["results_retention_days"] == 7, got
            assert got["renormalization_window_days"] == 8, got
            assert got["background_persist_interval"] == "5h", got
            assert got["allow_lazy_open"] is True, got
            assert got["custom_settings"] == {"x": 1}, got
            assert got["analysis_config"]["detectors"][0][
                "detector_description"] == "x", got


def test_update_that_was_answered_survives_a_crash():
    with Daemon() as d:
        d.put_job("j", job())
        expect(200, update(d, "j", {"description": "answered"}))
        d.kill()
        d.start()
        assert d.get(path("j")).json["jobs"][0]["description"] == "answered"


def test_update_goes_on_after_the_death_of_the_keeper():
    with Daemon() as d:
        d.put_job("j", job())
        for i in range(3):
            [keeper] = d.pids_of("anomd-keeper")
            os.kill(keeper, signal.SIGKILL)
            text = "round %d" % i
            response = update(d, "j", {"description": text})
            if response.status != 200:
                expect_error(response, 503, "status_exception", "the keeper "
                    "of the catalogue ended before it answered; try again")
                response = update(d, "j", {"description": text})
            assert expect(200, response)["description"] == text
            wait_until(lambda: d.pids_of("anomd-keeper"), 60, "a keeper")
        d.restart()
        assert d.get(path("j")).json["jobs"][0]["description"] == "round 2"


def test_filters_are_those_of_the_analyzer():
    with Daemon() as d:
        d.put_job("j", {"analysis_config": {"categorization_field_name": "m",
            "categorization_filters": ["a"], "detectors": [{"function":
            "count", "by_field_name": "mlcategory"}]},
            "data_description": {}})
        got = expect(200, update(d, "j", {"categorization_filters":
            ["cat3.*"]}))["analysis_config"]
        assert got["categorization_analyzer"]["char_filter"] == [
            {"type": "pattern_replace", "pattern": "cat3.*"},
            "first_line_with_letters"], got
        assert "categorization_filters" not in got, got
        got = expect(200, update(d, "j", {"per_partition_categorization":
            {"enabled": False, "stop_on_warn": True}}))["analysis_config"]
        assert got["per_partition_categorization"] == {"enabled": False,
            "stop_on_warn": True}, got
