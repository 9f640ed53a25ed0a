"""Snapshots that are taken while a job is open: the journal stays bounded, the
job goes on, and a death afterwards loses nothing."""

import os
import signal

from harness import ML, Daemon, expect, job, ndjson, timeout, wait_until

PIECE = 64 * 1024 * 1024
PIECES = 10  # more than the 512 MB of journal that call for a snapshot


def numbered(d, name, kind):
    jobs = os.path.join(d.state_dir, "jobs")
    own, = [j for j in os.listdir(jobs) if j.startswith(name + ".")]
    return sorted(f for f in os.listdir(os.path.join(jobs, own, kind))
        if f[0] in "0123456789")


def snapshot_id(d, name):
    jobs = d.get(f"{ML}/anomaly_detectors/{name}").json["jobs"]
    return jobs[0].get("model_snapshot_id")


@timeout(300)
def test_an_open_job_takes_snapshots_and_loses_nothing():
    with Daemon(journal_sync="never") as d:
        d.make_job("j", job())
        assert snapshot_id(d, "j") is None
        line = ndjson([{"time": 1600000000 + i * 60, "v": i % 97}
            for i in range(1000)])
        body = line * (PIECE // len(line))
        for _ in range(PIECES):
            expect(202, d.request("POST",
                f"{ML}/anomaly_detectors/j/_data", body, seconds=120))
        wait_until(lambda: snapshot_id(d, "j"), 60,
            "a snapshot of an open job")
        assert len(numbered(d, "j", "snapshots")) == 1
        before = d.stats("j")
        os.kill(d.worker_pid("j"), signal.SIGKILL)
        d.flush("j")        # is answered by the next worker
        after = d.stats("j")
        assert after["data_counts"]["processed_record_count"] == \
            before["data_counts"]["processed_record_count"]
        assert after["data_counts"]["input_bytes"] == \
            before["data_counts"]["input_bytes"]
        d.close_job("j")
        assert len(numbered(d, "j", "snapshots")) in (1, 2)
