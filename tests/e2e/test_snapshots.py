"""The API of model snapshots: list, update, delete, revert, upgrade."""

import glob
import json
import re

from ctltool import *
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


def same_as_one_that_saw_no_more(d):
    """j is as a job that never saw the data that the revert took back."""
    d.make_job("pure", job())
    feed(d, "pure", 0, 60)
    d.close_job("pure")
    d.open_job("pure")
    feed(d, "pure", 60, 70, odd=(100,))
    d.close_job("pure")
    same(d, "j", "pure")


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
        same_as_one_that_saw_no_more(d)
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


def base_path(d, job_id="j"):
    """The file that the last revert has made."""
    return base_path_in(d.state_dir, job_id)


def base_path_in(state_dir, job_id="j"):
    found = glob.glob(os.path.join(state_dir, "jobs", job_id + ".*",
        "snapshots", "*.base"))
    assert len(found) == 1, found
    return found[0]


def test_after_a_restart_a_reverted_job_goes_on():
    """By signal and in order, before the job is opened and behind that."""
    with Daemon() as d:
        first, second = two_snapshots(d)
        expect(200, act(d, "j", first +
            "/_revert?delete_intervening_results=true"))
        reverted = whole(d, "j")
        counts = d.stats("j")["data_counts"]
        d.kill()
        d.start()
        assert whole(d, "j") == reverted
        assert d.stats("j")["data_counts"] == counts
        assert d.get("/_ml/anomaly_detectors/j").json["jobs"][0][
            "model_snapshot_id"] == first
        d.open_job("j")
        feed(d, "j", 60, 30, odd=(70,))
        d.kill()
        d.start()
        wait_until(lambda: d.stats("j")["state"] == "opened", 10, "replay")
        feed(d, "j", 90, 40, odd=(100,))
        d.close_job("j")
        d.make_job("pure", job())
        feed(d, "pure", 0, 60)
        d.close_job("pure")
        d.open_job("pure")
        feed(d, "pure", 60, 30, odd=(70,))
        feed(d, "pure", 90, 40, odd=(100,))
        d.close_job("pure")
        same(d, "j", "pure")
        assert len(whole(d, "j")[1]) > 0


def test_what_was_taken_back_can_be_sent_again_with_its_key():
    with Daemon() as d:
        d.make_job("j", job())

        def post(first, hours, key):
            rows = [{"time": T0 + (first + i) * HOUR, "v": i % 5}
                for i in range(hours)]
            return expect(202, d.request("POST",
                "/_ml/anomaly_detectors/j/_data",
                "".join(json.dumps(r) + "\n" for r in rows).encode(),
                {"Idempotency-Key": key,
                "Content-Type": "application/x-ndjson"}))

        def processed():
            return d.stats("j")["data_counts"]["processed_record_count"]

        before = post(0, 40, "before")
        d.close_job("j")
        d.open_job("j")
        post(40, 20, "after")
        d.close_job("j")
        results = whole(d, "j")
        first = snaps(d, "j", "?desc=false")["model_snapshots"][0][
            "snapshot_id"]
        expect(200, act(d, "j", first +
            "/_revert?delete_intervening_results=true"))
        d.open_job("j")
        assert post(0, 40, "before") == before
        assert processed() == 60, "known still: not done again"
        post(40, 20, "after")
        assert processed() == 80, "it was taken back: done again"
        post(40, 20, "after")
        assert processed() == 80
        d.close_job("j")
        assert whole(d, "j") == results


def test_damage_does_not_undo_a_revert():
    with Daemon() as d:
        first, second = two_snapshots(d)
        expect(200, act(d, "j", first +
            "/_revert?delete_intervening_results=true"))
        reverted = whole(d, "j")
        path = base_path(d)
        with open(path, "r+b") as f:
            f.seek(os.path.getsize(path) // 2)
            byte = f.read(1)
            f.seek(-1, os.SEEK_CUR)
            f.write(bytes([byte[0] ^ 1]))
        response = d.request("POST", "/_ml/anomaly_detectors/j/_open")
        assert response.status >= 400, response
        assert ("the state after a revert is damaged, which the log names: "
            "revert to a model snapshot again, or reset the job") in \
            response.error["reason"], response
        assert re.search(r"%s: the state after a revert: damaged at byte "
            r"\d+ of \d+, where the part begins" % os.path.basename(path),
            d.log()), d.log()
        assert os.path.exists(path)
        assert d.stats("j")["state"] == "failed"
        assert whole(d, "j") == reverted
        d.close_job("j", query="?force=true")
        expect(200, act(d, "j", first +
            "/_revert?delete_intervening_results=true"))
        d.open_job("j")
        feed(d, "j", 60, 70, odd=(100,))
        d.close_job("j")
        same_as_one_that_saw_no_more(d)


def test_old_snapshots_expire():
    """All are of today: with no days to keep, none but the newest is young."""
    with Daemon() as d:
        ids = {}
        for name in ("open", "closed", "reverted", "keeps"):
            config = job()
            if name != "keeps":
                config.update(model_snapshot_retention_days=0,
                    daily_model_snapshot_retention_after_days=0)
            d.make_job(name, config)
            for i in range(4):
                feed(d, name, i * 10, 10)
                d.close_job(name)
                if i < 3 or name == "open":
                    d.open_job(name)
            ids[name] = [s["snapshot_id"] for s in snaps(d, name,
                "?desc=false")["model_snapshots"]]
            assert len(ids[name]) == 4, ids
        expect(200, act(d, "closed", ids["closed"][0] + "/_update",
            {"retain": True}))
        expect(200, act(d, "reverted", ids["reverted"][1] + "/_revert"))
        assert expect(200, d.request("DELETE",
            "/_ml/_delete_expired_data")) == {"deleted": True}
        kept = {name: [s["snapshot_id"] for s in snaps(d, name,
            "?desc=false")["model_snapshots"]] for name in ids}
        assert kept == {"open": ids["open"][3:],
            "closed": [ids["closed"][0], ids["closed"][3]],
            "reverted": [ids["reverted"][1], ids["reverted"][3]],
            "keeps": ids["keeps"]}, (kept, ids)
        assert d.stats("closed")["state"] == "closed"
        assert d.stats("open")["state"] == "opened"
        for name in ("closed", "reverted"):
            d.open_job(name)
        for name in ids:
            if name != "keeps":
                feed(d, name, 40, 10)
                d.close_job(name)
                assert snaps(d, name)["count"] == len(kept[name]) + 1, name


@timeout(120)
def test_a_reverted_job_is_whole_and_comes_back_from_a_backup():
    with tempfile.TemporaryDirectory() as temp:
        copy, state = os.path.join(temp, "copy"), os.path.join(temp, "state")
        with Daemon() as d:
            first, second = two_snapshots(d)
            expect(200, act(d, "j", first +
                "/_revert?delete_intervening_results=true"))
            d.open_job("j")
            feed(d, "j", 60, 30, odd=(70,))
            done = ctl(None, "verify", d.state_dir)
            assert done.ok() == "" and "files are whole" in done.err, done
            ctl(None, "backup", "-s", d.state_dir, copy).ok()
            feed(d, "j", 90, 40, odd=(100,))
            d.close_job("j")
            wanted = whole(d, "j")
        ctl(None, "verify", copy).ok()
        with open(base_path_in(copy), "r+b") as f:
            f.seek(-1, os.SEEK_END)
            byte = f.read(1)
            f.seek(-1, os.SEEK_END)
            f.write(bytes([byte[0] ^ 1]))
            f.flush()
            done = ctl(None, "verify", copy)
            assert done.status != 0 and os.path.basename(f.name) in \
                done.out + done.err, done
            f.seek(-1, os.SEEK_END)
            f.write(byte)
        ctl(None, "restore", copy, state).ok()
        with Daemon(state_dir=state) as d:
            wait_until(lambda: d.stats("j")["state"] == "opened", 10, "replay")
            feed(d, "j", 90, 40, odd=(100,))
            d.close_job("j")
            assert whole(d, "j") == wanted


def test_an_opening_and_a_revert_do_not_meet():
    """Whichever comes first, the other is refused or comes behind it."""
    with Daemon() as d:
        first, second = two_snapshots(d)
        done = []
        for i in range(10):
            request = ("POST /_ml/anomaly_detectors/j/model_snapshots/%s"
                "/_revert HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0"
                "\r\n\r\n" % first).encode()
            with d.socket() as s:
                s.sendall(request)
                answer = d.request("POST", "/_ml/anomaly_detectors/j/_open")
                s.settimeout(10 * PATIENCE)
                done.append(int(s.recv(65536).split()[1]))
            if answer.status == 409:
                assert answer.error["reason"] == ("Cannot open job [j] "
                    "because it is executing [revert]"), answer
                assert done[-1] == 200, done
                d.open_job("j")
            assert done[-1] in (200, 409), done
            feed(d, "j", 60 + i, 1)
            d.close_job("j")
        assert 200 in done, done


def test_a_job_that_is_being_reverted_can_be_deleted():
    with Daemon() as d:
        first, second = two_snapshots(d)
        request = ("POST /_ml/anomaly_detectors/j/model_snapshots/%s/_revert "
            "HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
            % first).encode()
        with d.socket() as s:
            s.sendall(request)
            assert d.delete_job("j") == {"acknowledged": True}
            s.settimeout(10 * PATIENCE)
            assert s.recv(65536).split()[1] in (b"200", b"500", b"404",
                b"409", b"503")
        assert d.get("/_ml/anomaly_detectors/j").status == 404
        first, second = two_snapshots(d)
        assert snaps(d, "j")["count"] == 2
