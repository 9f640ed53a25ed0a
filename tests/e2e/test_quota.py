"""The journal of a job stays within its quota: snapshots make room, and while
none can be written uploads are refused with a cure, and nothing is lost."""

import os
import signal

from harness import ML, Daemon, expect, job, ndjson, wait_until

MB = 1024 * 1024
IN_THE_WAY = "new"  # a directory of a snapshot's temporary name


def job_dir(d, name):
    jobs = os.path.join(d.state_dir, "jobs")
    own, = [j for j in os.listdir(jobs) if j.startswith(name + ".")]
    return os.path.join(jobs, own)


def disk_bytes(d, name):
    path = os.path.join(job_dir(d, name), "journal")
    return sum(os.path.getsize(os.path.join(path, f))
        for f in os.listdir(path))


def body(size):
    line = ndjson([{"time": 1600000000 + i * 60, "v": i % 97}
        for i in range(1000)])
    return line * (size // len(line))


def post(d, data):
    return d.request("POST", f"{ML}/anomaly_detectors/j/_data", data)


def taken_bytes(d):
    return d.stats("j")["data_counts"]["input_bytes"]


def test_snapshots_keep_the_journal_below_its_quota():
    with Daemon(journal_quota="8mb", journal_sync="never") as d:
        d.make_job("j", job())
        data = body(MB)
        for i in range(40):
            # 503 where the snapshot takes longer than the posts
            wait_until(lambda: post(d, data).status == 202, 30, "room")
            assert disk_bytes(d, "j") <= 8 * MB, (i, disk_bytes(d, "j"))
        assert taken_bytes(d) == 40 * len(data)


def test_uploads_wait_for_a_snapshot_that_cannot_be_written():
    with Daemon(journal_quota="8mb", journal_sync="never") as d:
        d.make_job("j", job())
        way = os.path.join(job_dir(d, "j"), "snapshots", IN_THE_WAY)
        os.mkdir(way)
        data = body(MB)
        taken = 0
        while True:
            answer = post(d, data)
            if answer.status != 202:
                break
            taken += 1
            assert taken < 8
        expect(503, answer)
        assert "journal_quota" in answer.error["reason"], answer
        assert int(answer.headers["retry-after"]) > 0, answer
        assert taken in (3, 4), taken
        # what needs no room goes on
        d.flush("j")
        assert taken_bytes(d) == taken * len(data)
        # a successor tries at once again
        os.rmdir(way)
        os.kill(d.worker_pid("j"), signal.SIGKILL)
        d.flush("j")
        wait_until(lambda: post(d, data).status == 202, 10,
            "room in the journal")
        assert taken_bytes(d) == (taken + 1) * len(data)
        # of what is larger than half the quota, one is taken at a time
        large = body(6 * MB)
        wait_until(lambda: post(d, large).status == 202, 10,
            "room for a large one")
        assert taken_bytes(d) == (taken + 1) * len(data) \
            + len(large)
