"""The API of model snapshots: list, update, delete, revert, upgrade."""

from harness import *

T0 = 1403481600
HOUR = 3600


def snaps(d, job_id, rest="", base=ML):
    return expect(200, d.get("%s/anomaly_detectors/%s/model_snapshots%s"
        % (base, job_id, rest)))


def act(d, job_id, rest, body=None, method="POST", base=ML):
    return d.request(method, "%s/anomaly_detectors/%s/model_snapshots/%s"
        % (base, job_id, rest), body)


def feed(d, job_id, first, hours, odd=()):
    d.post(job_id, [{"time": T0 + (first + i) * HOUR + k * 600,
        "v": 500 if first + i in odd else (first + i) % 5 + k}
        for i in range(hours) for k in range(3)])


def two_snapshots(d, job_id="j"):
    """A closed job with two of them; their ids, oldest first."""
    d.make_job(job_id, job())
    feed(d, job_id, 0, 60)
    d.close_job(job_id)
    d.open_job(job_id)
    feed(d, job_id, 60, 40, odd=(80, 90))
    d.close_job(job_id)
    got = [s["snapshot_id"] for s in snaps(d, job_id,
        "?desc=false")["model_snapshots"]]
    assert len(got) == 2, got
    return got


def whole(d, job_id):
    """All results, as they are shown but for what only clocks know."""
    def plain(value):
        if isinstance(value, list):
            return [plain(v) for v in value]
        if not isinstance(value, dict):
            return value
        return {k: plain(v) for k, v in value.items()
            if k not in ("processing_time_ms", "job_id")}
    return ([plain(b) for b in d.results(job_id, "buckets",
        "?size=1000")["buckets"]],
        [plain(r) for r in d.results(job_id, "records",
        "?size=1000&sort=timestamp&desc=false")["records"]])


def same(d, a, b):
    """Row by row, to the last bit."""
    for x, y in zip(whole(d, a), whole(d, b)):
        for i, (row, other) in enumerate(zip(x, y)):
            assert row == other, (i, row, other)
        assert len(x) == len(y), (len(x), len(y))


def test_list():
    with Daemon() as d:
        d.make_job("none", job())
        assert snaps(d, "none") == {"count": 0, "model_snapshots": []}
        first, second = two_snapshots(d)
        got = snaps(d, "j")
        assert got["count"] == 2
        assert [s["snapshot_id"] for s in got["model_snapshots"]] == [
            second, first]
        s = got["model_snapshots"][1]
        assert list(s) == ["job_id", "min_version", "timestamp",
            "description", "snapshot_id", "snapshot_doc_count",
            "model_size_stats", "latest_record_time_stamp",
            "latest_result_time_stamp", "retain"], list(s)
        assert s["job_id"] == "j" and s["retain"] is False
        assert str(s["timestamp"] // 1000) == first
        assert s["description"].startswith(
            "State persisted due to job close at ")
        assert s["latest_record_time_stamp"] == (T0 + 59 * HOUR + 1200) * 1000
        assert s["model_size_stats"]["model_bytes"] > 0
        assert d.get("/_ml/anomaly_detectors/j").json["jobs"][0][
            "model_snapshot_id"] == second
        t = got["model_snapshots"][0]["timestamp"]
        for rest, wanted in (("/" + first, [first]), ("/_all", [second, first]),
                ("/*", [second, first]), ("/absent", []),
                ("/%s,%s" % (first, second), [second, first]),
                ("?size=1", [second]), ("?from=1", [first]),
                ("?start=%d" % t, [second]), ("?end=%d" % t, [first]),
                ("?sort=snapshot_id&desc=false", [first, second])):
            for base in (ML, XPACK):
                assert [x["snapshot_id"] for x in snaps(d, "j", rest, base)[
                    "model_snapshots"]] == wanted, rest
        body = act(d, "j", "", {"desc": False, "page": {"from": 0,
            "size": 1}})
        assert [x["snapshot_id"] for x in expect(200, body)[
            "model_snapshots"]] == [first]
        assert snaps(d, "j", "?from=1")["count"] == 2
        for rest, reason in (("?size=-1", "Parameter [size] cannot be < 0"),
                ("?sort=x", "No mapping found for [x] in order to sort on")):
            expect_error(d.get("/_ml/anomaly_detectors/j/model_snapshots"
                + rest), 400, "illegal_argument_exception", reason)
        expect_error(d.get("/_ml/anomaly_detectors/absent/model_snapshots"),
            404, "resource_not_found_exception",
            "No known job with id 'absent'")


def test_update_and_delete():
    with Daemon() as d:
        first, second = two_snapshots(d)
        for opened in (False, True):
            if opened:
                d.open_job("j")
            got = expect(200, act(d, "j", first + "/_update",
                {"description": "mine %s" % opened, "retain": True}))
            assert got["acknowledged"] is True
            assert got["model"] == snaps(d, "j", "/" + first)[
                "model_snapshots"][0]
            assert got["model"]["description"] == "mine %s" % opened
            assert got["model"]["retain"] is True
            got = expect(200, act(d, "j", first + "/_update",
                {"retain": False}))
            assert got["model"]["description"] == "mine %s" % opened
            assert got["model"]["retain"] is False
            missing = "No model snapshot with id [7] exists for job [j]"
            expect_error(act(d, "j", "7/_update", {"retain": True}), 404,
                "resource_not_found_exception", missing)
            expect_error(act(d, "j", "7", method="DELETE"), 404,
                "resource_not_found_exception", missing)
            expect_error(act(d, "j", second, method="DELETE"), 400,
                "illegal_argument_exception", "Model snapshot '%s' is the "
                "active snapshot for job 'j', so cannot be deleted" % second)
        d.restart()
        assert snaps(d, "j", "/" + first)["model_snapshots"][0][
            "description"] == "mine True"
        assert expect(200, act(d, "j", first, method="DELETE")) == {
            "acknowledged": True}
        assert [s["snapshot_id"] for s in snaps(d, "j")["model_snapshots"]] \
            == [second]


def test_revert_needs_a_closed_job():
    with Daemon() as d:
        first, second = two_snapshots(d)
        expect_error(act(d, "j", "7/_revert"), 404,
            "resource_not_found_exception",
            "No model snapshot with id [7] exists for job [j]")
        d.open_job("j")
        expect_error(act(d, "j", first + "/_revert"), 409, "status_exception",
            "Can only revert to a model snapshot when the job is closed.")


def test_revert_goes_on_as_if_nothing_had_come_after():
    with Daemon() as d:
        first, second = two_snapshots(d)
        two_snapshots(d, "kept")
        before = d.stats("j")["data_counts"]
        got = expect(200, act(d, "j", first + "/_revert",
            {"delete_intervening_results": True}))
        assert list(got) == ["model"]
        assert got["model"] == snaps(d, "j", "/" + first)[
            "model_snapshots"][0]
        shown = d.get("/_ml/anomaly_detectors/j").json["jobs"][0]
        assert shown["model_snapshot_id"] == first
        assert "blocked" not in shown
        after = d.stats("j")["data_counts"]
        assert after["processed_record_count"] == before[
            "processed_record_count"] == 300
        last = got["model"]["latest_result_time_stamp"]
        assert whole(d, "j")[0][-1]["timestamp"] == last
        d.open_job("j")
        feed(d, "j", 60, 70, odd=(100,))
        d.close_job("j")
        # One that never saw the other data.
        d.make_job("pure", job())
        feed(d, "pure", 0, 60)
        d.close_job("pure")
        d.open_job("pure")
        feed(d, "pure", 60, 70, odd=(100,))
        d.close_job("pure")
        same(d, "j", "pure")
        assert len(whole(d, "j")[1]) > 0
        assert snaps(d, "j")["count"] == 3
        d.restart()
        # Without the deletion what is processed again overwrites.
        expect(200, act(d, "kept", snaps(d, "kept")["model_snapshots"][1][
            "snapshot_id"] + "/_revert"))
        assert whole(d, "kept")[0][-1]["timestamp"] > last
        d.open_job("kept")
        feed(d, "kept", 60, 70, odd=(100,))
        d.close_job("kept")
        same(d, "kept", "pure")


def test_revert_to_no_model():
    with Daemon() as d:
        two_snapshots(d)
        expect(200, act(d, "j", "empty/_revert?delete_intervening_results=true"))
        assert "model_snapshot_id" not in d.get(
            "/_ml/anomaly_detectors/j").json["jobs"][0]
        assert whole(d, "j") == ([], [])
        assert d.stats("j")["data_counts"]["processed_record_count"] == 300
        d.open_job("j")
        feed(d, "j", 0, 50, odd=(45,))
        d.make_job("pure", job())
        feed(d, "pure", 0, 50, odd=(45,))
        d.close_job("j")
        d.close_job("pure")
        same(d, "j", "pure")


def test_upgrade_has_nothing_to_do():
    with Daemon() as d:
        first, second = two_snapshots(d)
        response = act(d, "j", first + "/_upgrade")
        assert response.status == 409, response
        assert ("Cannot upgrade job [j] snapshot [%s] as it is already "
            "compatible with current version " % first) in \
            response.error["reason"]
        expect_error(act(d, "j", "7/_upgrade"), 404,
            "resource_not_found_exception",
            "No model snapshot with id [7] exists for job [j]")
        stats = "%s/_upgrade/_stats" % first
        assert expect(200, act(d, "j", stats, method="GET")) == {"count": 0,
            "model_snapshot_upgrades": []}
        assert act(d, "j", stats + "?allow_no_match=false",
            method="GET").status == 404
