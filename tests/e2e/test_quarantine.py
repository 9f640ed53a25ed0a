"""An entry of which workers die is put aside, and the job goes on.

The worker here is the real one, but that it aborts at one time stamp: see
tests/crashing_worker.c.
"""

import contextlib
import glob

from harness import *

DEADLY = 1403999999


@contextlib.contextmanager
def crashing():
    """A libexec_dir with the worker that crashes."""
    where = tempfile.mkdtemp(prefix="anomd-crashing-")
    try:
        for role in ("query", "keeper"):
            os.symlink(os.path.join(BUILD, "anomd-" + role),
                os.path.join(where, "anomd-" + role))
        os.symlink(os.path.join(BUILD, "tests/crashing_worker"),
            os.path.join(where, "anomd-worker"))
        yield where
    finally:
        shutil.rmtree(where)


def job_dir(d, job_id):
    return glob.glob(os.path.join(d.state_dir, "jobs", job_id + ".*"))[0]


def files(d, job_id, name):
    return sorted(os.listdir(os.path.join(job_dir(d, job_id), name)))


def wait_open(d, job_id):
    """A stopped daemon was started again: its worker is ready."""
    d.post(job_id, [])


def deadly(n=1):
    return [{"time": DEADLY, "v": 1.0}] * n


def check_reason(response, entry=None, kept=True):
    assert response.status == 500, response
    reason = response.error["reason"]
    assert "died twice" in reason and "signal 6" in reason, reason
    if entry is not None:
        assert "entry %d " % entry in reason, reason
    assert ("nothing of it was kept" in reason) != kept, reason


def test_entry_that_kills_is_put_aside_and_the_job_goes_on():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        d.make_job("other", job())
        other = d.worker_pid("other")
        d.post("j", [at(i, v=i) for i in range(10)])
        bad = in_background(d.try_post, "j", [at(20, v=1)] + deadly())
        check_reason(bad(), 3)
        # Neither of its records counts, and it is kept whole.
        check_counts(d.stats("j")["data_counts"], processed_record_count=10)
        check_counts(d.post("j", [at(30, v=1)]), processed_record_count=1)
        stats = d.stats("j")
        check_counts(stats["data_counts"], processed_record_count=11)
        assert stats["state"] == "opened", stats
        assert stats["recovery"]["restarts"] == 2, stats
        shown = stats["quarantine"]
        assert shown["health"] == "red" and shown["count"] == 1, shown
        assert shown["entries"][0]["entry"] == 3, shown
        assert shown["entries"][0]["type"] == "upload", shown
        assert "signal 6" in shown["entries"][0]["reason"], shown
        assert shown["entries"][0]["bytes"] > 0, shown
        assert files(d, "j", "quarantine") == ["entry-3"]
        with open(os.path.join(job_dir(d, "j"), "quarantine/entry-3"),
                "rb") as f:
            assert ndjson([at(20, v=1)] + deadly()) in f.read()
        assert d.worker_pid("other") == other
        assert "quarantine" not in d.stats("other")


def test_others_in_the_line_are_answered_as_ever():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        pid = d.worker_pid("j")
        os.kill(pid, signal.SIGSTOP)
        posts = [d.ask_post("j", deadly() if n == 3 else [at(n, v=n)])
            for n in range(7)]
        os.kill(pid, signal.SIGCONT)
        for n, post in enumerate(posts):
            if n == 3:
                check_reason(post.answer())
            else:
                check_counts(expect(202, post.answer()),
                    processed_record_count=1)
        check_counts(d.stats("j")["data_counts"], processed_record_count=6)


def test_it_is_passed_over_by_every_later_replay():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        d.post("j", [at(0, v=1)])
        check_reason(d.try_post("j", deadly()), 3)
        d.post("j", [at(10, v=1)])
        for n in range(2):
            pid = d.worker_pid("j")
            os.kill(pid, signal.SIGKILL)
            check_counts(d.post("j", [at(20 + n, v=1)]),
                processed_record_count=1)
        d.kill()
        d.start()
        wait_open(d, "j")
        stats = d.stats("j")
        check_counts(stats["data_counts"], processed_record_count=4)
        assert [e["entry"] for e in stats["quarantine"]["entries"]] == [3]
        assert "recovery" not in stats, stats
        # Whoever takes the file away has looked: it is not tried again.
        os.unlink(os.path.join(job_dir(d, "j"), "quarantine/entry-3"))
        d.kill()
        d.start()
        wait_open(d, "j")
        stats = d.stats("j")
        check_counts(stats["data_counts"], processed_record_count=4)
        assert "quarantine" not in stats and "recovery" not in stats, stats


def test_large_entry_is_put_aside_whole():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        records = [at(i, v=i, pad="x" * 200) for i in range(20000)]
        body = ndjson(records + deadly())
        check_reason(d.try_post("j", body), 2)
        path = os.path.join(job_dir(d, "j"), "quarantine/entry-2")
        with open(path, "rb") as f:
            assert f.read()[-len(body):] == body
        check_counts(d.stats("j")["data_counts"], processed_record_count=0)


def test_sigkill_from_outside_counts_against_no_entry():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        body = ndjson([at(i, v=i, pad="x" * 200) for i in range(20000)])
        for _ in range(4):
            before = processed(d)
            post = in_background(d.try_post, "j", body)
            wait_until(lambda: has_come(d, before), 10, "some bytes")
            os.kill(d.worker_pid("j"), signal.SIGKILL)
            assert post().status in (202, 503), post()
        assert "quarantine" not in d.stats("j")
        assert files(d, "j", "quarantine") == []


def processed(d):
    return d.stats("j")["data_counts"]["processed_record_count"]


def has_come(d, before):
    """Something of the post is in the spool, or all of it is counted."""
    return any(os.scandir(os.path.join(job_dir(d, "j"), "spool"))) or \
        processed(d) > before


def test_request_that_kills_before_it_is_journaled_is_refused():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        d.post("j", [at(0, v=1)])
        check_reason(d.try_post("j", [at(1, v=1)],
            query="?reset_start=%d&reset_end=%d" % (DEADLY, DEADLY + 3600)), kept=False)
        r = d.request("POST", ML + "/anomaly_detectors/j/_flush?calc_interim="
            "true&start=%d&end=%d" % (DEADLY, DEADLY + 3600))
        check_reason(r, kept=False)
        check_counts(d.post("j", [at(2, v=1)]), processed_record_count=1)
        stats = d.stats("j")
        check_counts(stats["data_counts"], processed_record_count=2)
        assert "quarantine" not in stats, stats
        assert files(d, "j", "quarantine") == []
