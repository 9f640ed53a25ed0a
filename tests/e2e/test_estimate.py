"""POST _estimate_model_memory."""

from harness import *

PATH = ML + "/anomaly_detectors/_estimate_model_memory"


def request(span="15m", overall=None, in_bucket=None, influencers=(),
        **detector):
    body = {"analysis_config": {"bucket_span": span, "detectors": [detector],
        "influencers": list(influencers)}}
    if overall is not None:
        body["overall_cardinality"] = overall
    if in_bucket is not None:
        body["max_bucket_cardinality"] = in_bucket
    return body


def test_check_values():
    with Daemon() as d:
        for body, wanted in (
                (request(function="max", field_name="responsetime",
                    by_field_name="airline", overall={"airline": 50000}),
                    "1573mb"),
                (request(span="1h", function="mean", field_name="v",
                    partition_field_name="p", overall={"p": 50000}),
                    "2354mb"),
                (request(span="1h", function="mean", field_name="v",
                    by_field_name="b", partition_field_name="p",
                    overall={"b": 4000, "p": 600}), "1979mb"),
                (request(function="count"), "11mb"),
                (request(function="count", influencers=["i"],
                    in_bucket={"i": "1024"}), "21mb")):
            got = expect(200, d.request("POST", PATH, body))
            assert got == {"model_memory_estimate": wanted}, (body, got)
        assert d.get(ML + "/anomaly_detectors").json["count"] == 0


def test_what_is_missing_is_named():
    with Daemon() as d:
        for body, reason in (
                (request(function="mean", field_name="v", by_field_name="b"),
                    "[Overall] cardinality estimate required for "
                    "[by_field_name] [b] but not supplied"),
                (request(function="mean", field_name="v",
                    over_field_name="o", overall={"b": 1}),
                    "[Overall] cardinality estimate required for "
                    "[over_field_name] [o] but not supplied"),
                (request(function="mean", field_name="v",
                    partition_field_name="p", overall={}),
                    "[Overall] cardinality estimate required for "
                    "[partition_field_name] [p] but not supplied"),
                (request(function="count", influencers=["i"],
                    overall={"i": 3}),
                    "[Bucket max] cardinality estimate required for "
                    "[influencers] [i] but not supplied")):
            expect_error(d.request("POST", PATH, body), 400,
                "illegal_argument_exception", reason)
        expect_error(d.request("POST", PATH, {"overall_cardinality": {}}),
            400, "action_request_validation_exception",
            "Validation Failed: 1: [analysis_config] was not specified;")
        expect_error(d.request("POST", PATH), 400, "parse_exception",
            "request body is required")


def test_configuration_is_checked_as_that_of_a_job():
    with Daemon() as d:
        got = d.request("POST", PATH, request(function="mean"))
        assert got.status == 400, got
        assert got.error["type"] == "x_content_parse_exception"
        assert got.error["reason"].endswith("[cluster:admin/xpack/ml/job/"
            "estimate_model_memory] failed to parse field "
            "[analysis_config]"), got
        cause = got.error["caused_by"]
        assert cause["reason"].endswith("[analysis_config] failed to parse "
            "field [detectors]"), got
        while "caused_by" in cause:
            cause = cause["caused_by"]
        assert cause == {"type": "status_exception", "reason":
            "Unless a count or temporal function is used one of field_name, "
            "by_field_name or over_field_name must be set"}, got
        got = d.request("POST", PATH, '{"analysis_config":{"detectors":[{'
            '"function":"count"}]},"overall_cardinality":{"a":-2}}')
        assert got.error["caused_by"] == {"type": "status_exception",
            "reason": "[overall_cardinality] contained negative cardinality "
            "[-2]"}, got
        expect_error(d.request("POST", PATH, '{"colour":1}'), 400,
            "x_content_parse_exception", "[1:2] [cluster:admin/xpack/ml/job/"
            "estimate_model_memory] unknown field [colour]")


def test_only_the_new_path_has_it():
    with Daemon() as d:
        body = request(function="count")
        got = d.request("POST", XPACK + "/anomaly_detectors/"
            "_estimate_model_memory", body)
        assert got.status == 405, got
        got = d.get(PATH)
        assert got.status == 405 and got.headers["allow"] == "POST", got
        expect_error(d.request("POST", PATH + "?colour=red", body), 400,
            "illegal_argument_exception", "request [%s] contains unrecognized "
            "parameter: [colour]" % PATH)


def test_long_lists_hold_nobody_up():
    # As many influencers as a body takes, none of them the same.
    names = ["i%d" % i for i in range(12000)]
    with Daemon() as d:
        used = cpu_seconds(d.pid)
        got = expect(200, d.request("POST", PATH, request(function="count",
            influencers=names, in_bucket={n: 1 for n in names})))
        assert got == {"model_memory_estimate": "%dmb" % (
            -(-(10 * 1024 + 32 + 10 * len(names)) // 1024))}, got
        # What it works and not what it waits: others may be busy, too.
        assert cpu_seconds(d.pid) - used < 2 * SCALE
