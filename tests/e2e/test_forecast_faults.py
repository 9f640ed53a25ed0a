"""Forecasts that take long: what goes on beside them, and what they survive."""

import contextlib
import fcntl
import os
import signal
import sqlite3

from harness import *
from test_damage import results_file
from test_forecasts import (ask, expect_stats, finished, made, points, read,
    remove, request_of, stats)

T0 = 1403481600
DAYS = 3
SERIES = 16
POINTS = (DAYS * 1440 - 1) * SERIES


def many(d, job_id):
    """A job with series of whose buckets there are many, most of them empty."""
    d.make_job(job_id, job(span="1m", function="count", field=None,
        partition_field_name="p"))
    d.post(job_id, [{"time": T0 + h * 3600, "p": "p%02d" % p}
        for h in range(DAYS * 24) for p in range(SERIES)
        for _ in range(1 + (h + p) % 3)] + [{"time": T0 + DAYS * 86400 - 1,
            "p": "p00"}])


def child_of(d, job_id):
    """A forecast's process: what the worker has forked."""
    worker = d.worker_pid(job_id)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as f:
                rest = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(rest[1]) == worker and rest[0] != "Z":
            return int(pid)
    return None


def running(d, job_id, forecast):
    got = request_of(d, job_id, forecast)
    return got["forecast_status"] == "started" \
        and got["processed_record_count"] > 0


def ends(d, job_id, forecast):
    """The first and the last points, by time."""
    plain = [{k: v for k, v in p.items()
        if k not in ("forecast_id", "job_id")} for p in
            points(d, job_id, forecast, "?size=4000")
            + points(d, job_id, forecast, "?size=4000&start=%d"
                % ((T0 + (2 * DAYS - 1) * 86400 + 82800) * 1000))]
    assert len(plain) > 4000, len(plain)
    return plain


@timeout(120)
def test_ingest_goes_on():
    with Daemon() as d:
        many(d, "j")
        f = made(d, "j", "?duration=3d")
        answered = 0
        while request_of(d, "j", f)["forecast_status"] != "finished":
            d.post("j", [{"time": T0 + DAYS * 86400 + answered, "p": "p01"}])
            answered += 1
        assert answered >= 3, answered
        assert request_of(d, "j", f)["processed_record_count"] == POINTS


@timeout(120)
def test_three_at_a_time():
    with Daemon() as d:
        many(d, "j")
        ids = [made(d, "j", "?duration=3d") for _ in range(3)]
        expect_error(ask(d, "j"), 400, "status_exception",
            "Cannot run forecast: Forecast cannot be executed due to queue "
            "limit. Please wait for requests to finish and try again")
        assert request_of(d, "j", ids[2])["forecast_status"] == "scheduled"
        expect_error(remove(d, "j", "/" + ids[2]), 409, "status_exception",
            "Forecast(s) [%s] for job [j] needs to be either FAILED or "
            "FINISHED to be deleted" % ids[2])
        for f in ids:
            finished(d, "j", f, 60)
        expect_stats(d, "j", {"finished": 3})
        first = ends(d, "j", ids[0])
        assert first == ends(d, "j", ids[2])


def killed(stop):
    with Daemon() as d:
        many(d, "j")
        many(d, "same")
        f = made(d, "j", "?duration=3d")
        d.post("j", [{"time": T0 + DAYS * 86400 + 300, "p": "p%02d" % p}
            for p in range(SERIES)])
        wait_until(lambda: running(d, "j", f), what="points")
        stop(d)
        got = finished(d, "j", f, 60)
        assert got["forecast_status"] == "finished", got
        assert got["processed_record_count"] == POINTS, got
        assert expect(200, read(d, "j", f, "?size=0"))["count"] \
            == POINTS + 1
        expect_stats(d, "j", {"finished": 1})
        g = made(d, "same", "?duration=3d")
        finished(d, "same", g, 60)
        assert ends(d, "j", f) == ends(d, "same", g)
        expect(200, remove(d, "j"))
        d.close_job("j")
        d.open_job("j")
        assert expect(200, read(d, "j"))["count"] == 0


@timeout(180)
def test_worker_killed():
    killed(lambda d: os.kill(d.worker_pid("j"), signal.SIGKILL))


@timeout(180)
def test_daemon_killed():
    def stop(d):
        d.kill()
        d.start()
        wait_until(lambda: d.stats("j")["state"] == "opened", 30, "opened")
    killed(stop)


@timeout(180)
def test_closed_by_force():
    def stop(d):
        d.close_job("j", query="?force=true")
        d.open_job("j")
    killed(stop)


@timeout(120)
def test_close_waits():
    with Daemon() as d:
        many(d, "j")
        f = made(d, "j", "?duration=3d")
        d.close_job("j")
        got = request_of(d, "j", f)
        assert got["forecast_status"] == "finished", got
        assert got["processed_record_count"] == POINTS, got
        expect_stats(d, "j", {"finished": 1})


@timeout(120)
def test_close_that_is_late():
    with Daemon() as d:
        many(d, "j")
        f = made(d, "j", "?duration=3d")
        wait_until(lambda: child_of(d, "j"), what="its process")
        child = child_of(d, "j")
        os.kill(child, signal.SIGSTOP)
        expect_error(d.request("POST", ML
            + "/anomaly_detectors/j/_close?timeout=100ms"), 408,
            "status_exception", "Closing job [j] timed out after [100ms]")
        assert d.stats("j")["state"] == "closing"
        os.kill(child, signal.SIGCONT)
        wait_until(lambda: d.stats("j")["state"] == "closed", 60, "closed")
        assert request_of(d, "j", f)["forecast_status"] == "finished"
        assert stats(d, "j")["status"] == {"finished": 1}
        # By force nobody waits, and the child ends with its worker.
        d.open_job("j")
        f = made(d, "j", "?duration=3d")
        wait_until(lambda: child_of(d, "j"), what="its process")
        child = child_of(d, "j")
        os.kill(child, signal.SIGSTOP)
        d.close_job("j", query="?force=true")
        wait_until(lambda: not os.path.exists("/proc/%d" % child),
            what="the end of the child")
        d.open_job("j")
        assert finished(d, "j", f, 60)["forecast_status"] == "finished"


@timeout(120)
def test_child_killed():
    with Daemon() as d:
        many(d, "j")
        f = made(d, "j", "?duration=3d")
        wait_until(lambda: child_of(d, "j"), what="its process")
        os.kill(child_of(d, "j"), signal.SIGKILL)
        got = finished(d, "j", f)
        assert got["forecast_status"] == "failed", got
        assert got["forecast_messages"][-1] == "forecast unable to " \
            "complete as native process was killed.", got
        assert got["processed_record_count"] == 0, got
        assert points(d, "j", f) == []
        def left():
            with contextlib.closing(sqlite3.connect(
                    "file:%s?mode=ro" % results_file(d), uri=True)) as db:
                return db.execute(
                    "SELECT count(*) FROM forecast_point").fetchone()[0]
        wait_until(lambda: left() == 0, what="the end of its points")
        expect_stats(d, "j", {"failed": 1})
        g = made(d, "j", "?duration=2h")
        assert finished(d, "j", g)["forecast_status"] == "finished"
        expect(200, remove(d, "j", "/" + f))
        expect_stats(d, "j", {"finished": 1})


def ended_children(d, job_id):
    """What the worker has forked, and not asked how it ended."""
    worker = d.worker_pid(job_id)
    ended = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as f:
                rest = f.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(rest[1]) == worker and rest[0] == "Z":
            ended.append(int(pid))
    return ended


@contextlib.contextmanager
def nobody_writes(path):
    """Hold the lock that writers of this database take.

    It is a byte of the -shm, as the wal-index of SQLite has it. A
    connection of SQLite itself, which knows of no checksums, would copy pages
    without them when it is the last one to close.
    """
    with open(path + "-shm", "r+b") as f:
        fcntl.lockf(f, fcntl.LOCK_EX, 1, 120)
        yield


@timeout(120)
def test_rows_that_cannot_be_written():
    with Daemon() as d:
        many(d, "j")
        f = made(d, "j", "?duration=3d")
        wait_until(lambda: running(d, "j", f), what="points")
        with nobody_writes(results_file(d)):
            wait_until(lambda: "is not written down" in d.log(), 60,
                "the failure")
        wait_until(lambda: child_of(d, "j") is None
            and not ended_children(d, "j"), what="the end of its process")
        g = made(d, "j", "?duration=2h")
        assert finished(d, "j", g)["forecast_status"] == "finished"
        # Nobody makes it any more, whatever its row says.
        expect(200, remove(d, "j", "/" + f))
        expect(200, read(d, "j", g))
        expect_stats(d, "j", {"finished": 1})


@timeout(60)
def test_more_points_than_there_may_be():
    with Daemon() as d:
        d.make_job("j", job(span="1s", function="count", field=None,
            partition_field_name="p"))
        names = ["p%02d" % p for p in range(100)]
        d.post("j", [{"time": T0 + i, "p": p} for i in range(60)
            for p in names])
        later = T0 + 30 * 86400
        d.flush("j", "?skip_time=%d" % later)
        d.post("j", [{"time": later + i, "p": p} for i in range(3)
            for p in names])
        got = ask(d, "j", "?duration=30d")
        assert got.status == 400, got
        assert "points, one may have" in got.error["reason"], got
        assert got.error["reason"].endswith(
            "ask for a shorter [duration]"), got
        f = made(d, "j", "?duration=60s")
        assert finished(d, "j", f)["processed_record_count"] == 6000
