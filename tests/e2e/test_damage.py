"""Damage in the files of a job and in the catalogue, found and said."""

import glob
import sqlite3

from ctltool import *
from harness import *
from test_quarantine import crashing

T0 = 1403481600


def records(n=600):
    """One in five minutes' time, with a few that stand out."""
    return b"".join(b'{"time":%d,"v":%d}\n' % (T0 + i * 300,
        5000 if i % 97 == 96 else i % 7) for i in range(n))


def results(d):
    buckets = d.get("/_ml/anomaly_detectors/j/results/buckets?size=5000")
    found = d.get("/_ml/anomaly_detectors/j/results/records?size=5000")
    return buckets, found


def logical(pair):
    """What a replay makes again; processing time is not of that."""
    rows = []
    for answer, name in zip(pair, ("buckets", "records")):
        assert answer.status == 200, answer.body
        for row in answer.json[name]:
            row = dict(row)
            row.pop("processing_time_ms", None)
            rows.append(row)
    return rows


def flip(path, offset):
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = f.read(1)
        f.seek(offset)
        f.write(bytes([byte[0] ^ 0x20]))


def results_file(d, job_id="j"):
    [path] = glob.glob(os.path.join(d.state_dir, "jobs", job_id + ".*",
        "results", "results.db"))
    return path


def test_flipped_bits_in_results_are_named_and_then_made_good():
    with Daemon() as d:
        d.put_job("j", job())
        d.open_job("j")
        d.post("j", records())
        d.close_job("j")
        want = logical(results(d))
        d.stop()
        path = results_file(d)
        # The checksum at the end of each page: rows stay readable.
        for offset in range(4095, os.path.getsize(path), 4096):
            flip(path, offset)
        d.start()
        answer = d.get("/_ml/anomaly_detectors/j/results/records?size=5000")
        assert answer.status == 500, answer.body
        assert "results.db, byte " in str(answer.body), answer.body
        assert "damaged at byte" in d.log(), d.log()
        # The writer meets it, and the start after that salvages.
        d.open_job("j")
        d.request("POST", "/_ml/anomaly_detectors/j/_data",
            b'{"time":%d,"v":1}\n' % (T0 + 700 * 300))

        def whole():
            if d.stats("j")["state"] == "failed":
                d.request("POST", "/_ml/anomaly_detectors/j/_open")
            now = results(d)
            return now if now[0].status == 200 else None
        now = logical(wait_until(whole, 30, "results to be made good"))
        for row in want:
            assert row in now, row
        assert "results.db was damaged: rows kept" in d.log(), d.log()
        shown = d.stats("j")["recovery"]["salvaged_results"]
        assert shown["rows_kept"] > 0 and shown["time"] > 0, shown
        assert shown["pages_lost"] is False, shown
        assert "job j: its results were damaged and salvaged" in d.log()


def test_damage_of_one_job_is_not_told_of_another():
    """The same process answers for both, and keeps where it met some."""
    with Daemon(max_query_processes=1) as d:
        for name in ("j", "k"):
            d.make_job(name, job())
            d.post(name, records())
            d.close_job(name)
        path = results_file(d)
        for offset in range(4095, os.path.getsize(path), 4096):
            flip(path, offset)
        with open(results_file(d, "k"), "r+b") as f:
            f.truncate(os.path.getsize(f.name) // 2 // 4096 * 4096)
        for name, has_place in (("j", True), ("k", False)):
            answer = d.get(ML + "/anomaly_detectors/%s/results/buckets" % name)
            assert answer.status == 500, answer
            reason = answer.error["reason"]
            assert "of job [%s] are damaged" % name in reason, reason
            assert (", byte " in reason) == has_place, reason


def varint(data, at):
    """What SQLite has there, of up to eight bytes."""
    value = 0
    while True:
        value = value << 7 | data[at] & 0x7f
        if data[at] < 0x80:
            return value
        at += 1


def quiet_page(path):
    """The number of a page that a worker has no need to read.

    It has buckets of the middle without a record in them, so that none gets
    another score.
    """
    db = sqlite3.connect("file:%s?immutable=1" % path, uri=True)
    root, = db.execute("SELECT rootpage FROM sqlite_master WHERE"
        " name = 'bucket'").fetchone()
    loud = [t for t, in db.execute("SELECT timestamp FROM bucket WHERE"
        " record_count > 0")]
    db.close()
    with open(path, "rb") as f:
        f.seek((root - 1) * 4096)
        data = f.read(4096)
    assert data[0] == 5, "more than a page of leaves, and less than two levels"
    cells = [int.from_bytes(data[12 + 2 * i:14 + 2 * i], "big")
        for i in range(int.from_bytes(data[3:5], "big"))]
    # Each names a page, and the greatest key in it.
    pages = [(int.from_bytes(data[c:c + 4], "big"), varint(data, c + 4))
        for c in cells]
    for (_, before), (page, last) in list(zip(pages, pages[1:]))[
            len(pages) // 2:]:
        if not any(before < t <= last for t in loud):
            return page
    raise AssertionError("there is a record on each page: %r" % loud)


def test_damage_that_only_a_query_meets_is_made_good_by_close_and_open():
    with Daemon() as d:
        d.make_job("j", job(span="5m"))
        d.post("j", records(3000))
        d.close_job("j")
        want = logical(results(d))
        path = results_file(d)
        flip(path, quiet_page(path) * 4096 - 1)
        d.open_job("j")
        d.post("j", b'{"time":%d,"v":1}\n' % (T0 + 3001 * 300))
        d.close_job("j")
        d.open_job("j")
        assert "recovery" not in d.stats("j"), d.stats("j")
        assert "is damaged" not in d.log(), d.log()
        answer = d.get(ML + "/anomaly_detectors/j/results/buckets?size=5000")
        assert answer.status == 500, answer
        assert "close and open the job" in answer.error["reason"], answer
        assert d.stats("j")["recovery"]["results_damaged"] is True
        status = ctl("http://127.0.0.1:%d" % d.port, "status")
        assert status.status == 1, status
        assert "damaged    j: " in status.out, status
        d.close_job("j")
        assert d.stats("j")["recovery"]["results_damaged"] is True
        d.open_job("j")
        now = logical(results(d))
        for row in want:
            assert row in now, row
        recovery = d.stats("j")["recovery"]
        assert "results_damaged" not in recovery, recovery
        assert recovery["salvaged_results"]["rows_kept"] >= len(want), recovery
        assert recovery["salvaged_results"]["rows_dropped"] == 0, recovery
        assert ctl("http://127.0.0.1:%d" % d.port, "status").status == 0


def damaged_and_slow(d, n):
    """A closed job whose results are damaged, and take long to salvage."""
    d.put_job("j", job(span="5m"))
    d.open_job("j")
    d.post("j", records(n))
    d.close_job("j")
    want = logical(results(d))
    path = results_file(d)
    for offset in range(4095, os.path.getsize(path), 4096):
        flip(path, offset)
    where = os.path.dirname(os.path.dirname(path))
    for name in ("results/damaged", "slow-salvage"):
        open(os.path.join(where, name), "w").close()
    return want, os.path.join(where, "slow-salvage")


def test_a_salvage_may_take_longer_than_the_watchdog_waits():
    with crashing() as where, Daemon(libexec_dir=where,
            watchdog_timeout="5s") as d:
        want, _ = damaged_and_slow(d, 1500)
        began = time.monotonic()
        opened = in_background(d.request, "POST", ML + "/anomaly_detectors/j/_open",
            seconds=60)
        wait_until(lambda: "is damaged: its rows" in d.log(), 10, "a salvage")
        pid = d.worker_pid("j")
        assert opened().status == 200, opened()
        # 5 ms a bucket, whatever the machine.
        assert time.monotonic() - began > 7
        assert d.worker_pid("j") == pid
        assert "watchdog" not in d.log(), d.log()
        assert logical(results(d)) == want


def test_a_daemon_that_stops_waits_for_no_salvage():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        want, slow = damaged_and_slow(d, 4000)
        d.request("POST", ML + "/anomaly_detectors/j/_open?timeout=1s")
        wait_until(lambda: "is damaged: its rows" in d.log(), 10, "a salvage")
        began = time.monotonic()
        d.stop()
        assert time.monotonic() - began < 10 * SCALE
        os.unlink(slow)
        d.start()
        d.open_job("j")
        assert "results.db was damaged: rows kept" in d.log(), d.log()
        assert logical(results(d)) == want
