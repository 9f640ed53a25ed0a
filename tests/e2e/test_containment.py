"""A worker that dies is followed by another one, and nobody is told.

Whoever waits for an answer gets it later, from the worker that took over.
"""

import fcntl

from harness import *


def another_worker(d, job_id, pid):
    """Wait until the job has a worker that is not this process."""
    def found():
        now = d.worker_pid(job_id)
        return now if now != pid else None
    return wait_until(found, 20, "another worker of " + job_id)


def test_killed_worker_is_followed_by_another():
    with Daemon() as d:
        d.make_job("j", job())
        d.make_job("other", job())
        d.post("j", [at(i, v=i) for i in range(100)])
        other, pid = d.worker_pid("other"), d.worker_pid("j")
        assert "recovery" not in d.stats("j")
        os.kill(pid, signal.SIGKILL)
        another_worker(d, "j", pid)
        stats = d.stats("j")
        assert stats["state"] == "opened", stats
        check_counts(d.post("j", [at(200, v=1)]), processed_record_count=1)
        stats = d.stats("j")
        check_counts(stats["data_counts"], processed_record_count=101)
        assert stats["recovery"]["restarts"] == 1, stats
        assert "signal 9" in stats["recovery"]["last_death"], stats
        assert d.worker_pid("other") == other
        assert "FAILED" not in d.log(), d.log()


def test_waiting_client_is_answered_by_the_next_worker():
    """Nothing of it was in the journal: it is sent again, in its order."""
    with Daemon() as d:
        d.make_job("j", job())
        pid = d.worker_pid("j")
        os.kill(pid, signal.SIGSTOP)
        posts = [d.ask_post("j", [at(n, v=n)] * (n + 1)) for n in range(20)]
        flush = d.ask("POST",
            ML + "/anomaly_detectors/j/_flush?calc_interim=true")
        os.kill(pid, signal.SIGKILL)
        for n, post in enumerate(posts):
            check_counts(expect(202, post.answer()),
                processed_record_count=n + 1)
        assert expect(200, flush.answer())["flushed"] is True
        check_counts(d.stats("j")["data_counts"],
            processed_record_count=sum(range(1, 21)))


def test_posts_while_it_recovers_wait_in_the_line():
    with Daemon(max_restart_delay="2s") as d:
        d.make_job("j", job())
        for n in range(3):
            pid = d.worker_pid("j")
            os.kill(pid, signal.SIGKILL)
            check_counts(d.post("j", [at(n, v=n)]), processed_record_count=1)
        check_counts(d.stats("j")["data_counts"], processed_record_count=3)
        # By now there is a pause before the next one.
        os.kill(d.worker_pid("j"), signal.SIGKILL)
        wait_until(lambda: d.stats("j").get("recovery", {})["recovering"], 10,
            "a pause")
        posts = [in_background(d.try_post, "j", [at(10, v=1)])
            for _ in range(110)]
        statuses = [post().status for post in posts]
        assert statuses.count(202) >= 100, statuses
        assert statuses.count(202) + statuses.count(429) == 110, statuses
        check_counts(d.stats("j")["data_counts"],
            processed_record_count=3 + statuses.count(202))


def test_close_of_a_job_that_recovers_keeps_its_state():
    with Daemon(max_restart_delay="1s") as d:
        d.make_job("j", job())
        d.post("j", [at(i, v=i) for i in range(10)])
        for _ in range(2):
            pid = d.worker_pid("j")
            os.kill(pid, signal.SIGKILL)
            another_worker(d, "j", pid)
        d.close_job("j")
        assert d.stats("j")["state"] == "closed"
        d.open_job("j")
        check_counts(d.stats("j")["data_counts"], processed_record_count=10)


def test_delete_of_a_job_that_recovers():
    with Daemon() as d:
        d.make_job("j", job())
        for n in range(3):
            pid = d.worker_pid("j")
            os.kill(pid, signal.SIGKILL)
            if n < 2:
                another_worker(d, "j", pid)
        d.delete_job("j", query="?force=true")
        assert d.get(ML + "/anomaly_detectors/j").status == 404


def stands_in_line():
    """This process waits for a lock, as /proc/locks has it."""
    with open("/proc/locks") as f:
        return re.search(r" -> FLOCK +ADVISORY +WRITE +%d " % os.getpid(),
            f.read())


def test_lock_that_is_held_for_long_fails_no_job():
    # What a process that was killed leaves may hang in a sync on a slow disk.
    with Daemon() as d:
        d.make_job("j", job())
        check_counts(d.post("j", [at(0, v=1)]), processed_record_count=1)
        pid = d.worker_pid("j")
        directory, = os.listdir(os.path.join(d.state_dir, "jobs"))
        with open(os.path.join(d.state_dir, "jobs", directory, "lock")) as f:
            held = in_background(fcntl.flock, f, fcntl.LOCK_EX)
            wait_until(stands_in_line, 10, "a place in the line for the lock")
            os.kill(pid, signal.SIGKILL)
            held()
            posted = in_background(d.post, "j", [at(60, v=2)])
            wait_until(lambda: "lock of the job's directory" in d.log(), 20,
                "a successor that has waited in vain")
            assert d.stats("j")["state"] == "opened"
        check_counts(posted(), processed_record_count=1)
        check_counts(d.stats("j")["data_counts"], processed_record_count=2)


def test_the_end_of_the_daemon_while_a_job_recovers_is_no_fault_of_clients():
    with Daemon() as d:
        d.make_job("j", job())
        # The pauses are 0, 1, 2, 4, and then 8 seconds.
        for n in range(5):
            pid = d.worker_pid("j")
            os.kill(pid, signal.SIGKILL)
            if n < 4:
                another_worker(d, "j", pid)
        wait_until(lambda: d.stats("j")["recovery"]["recovering"], 10,
            "a pause")
        with d.socket() as s:
            s.sendall(b"POST /_ml/anomaly_detectors/j/_data HTTP/1.1\r\n"
                b"Host: localhost\r\nContent-Type: application/json\r\n"
                b"Content-Length: 1000000\r\n\r\n" + b" " * 500000)
            sealed = d.ask_post("j", [at(0, v=1)])
            os.kill(d.pid, signal.SIGTERM)
            answer = sealed.answer()
            assert answer.status == 503, answer
            assert answer.headers["retry-after"] == "1", answer.headers
            assert "same Idempotency-Key" in answer.error["reason"], answer
            arriving = read_all(s)
            assert arriving.startswith(b"HTTP/1.1 409"), arriving
        assert d.wait() == 0
        d.start()
        check_counts(d.post("j", [at(0, v=1)]), processed_record_count=1)
