"""Children and clients that mean harm: one job, one request suffers at most.

Every program here once did what it should not: it ended the daemon, left a
request without an answer or gave it another's, or held up those beside it.
"""

import contextlib

from harness import *
from harness import command_line
from hostile import *

JOBS = "/_ml/anomaly_detectors"


def post_one(d, job_id="j"):
    return d.try_post(job_id, [at(0, v=1)])


# ---- workers

def test_worker_that_closes_before_it_has_answered():
    """Those who wait for an answer get one: that there is none."""
    program = reacting(WORKER_OPEN, """
if kind == PING: pong(payload)
if kind == CLOSE: put(CLOSED, 0, span(b"")); os._exit(0)
""")
    with libexec(worker=program) as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        waiting = d.ask_post("j", [at(0, v=1)])
        close = d.request("POST", JOBS + "/j/_close")
        assert close.status == 500, close
        assert waiting.answer().status == 500
        assert d.stats("j")["state"] == "failed"
        d.close_job("j", query="?force=true")
        d.delete_job("j")


def test_answers_that_cross_a_forced_close_do_not_fail_the_job():
    """They are on their way when the worker is killed by request."""
    program = reacting(WORKER_OPEN, """
if kind == PING: pong(payload)
if kind == SEAL: sealed = request
if kind == CLOSE:
    time.sleep(0.5)
    one = span(totals())
    # More than the daemon reads at a time: the request comes in between.
    channel.sendall((HEAD.pack(len(one), TOTALS, 0, 0) + one) *
        (300000 // (len(one) + HEAD.size)))
    put(COUNTS, sealed, span(counts()))
    hang()
""")
    with libexec(worker=program) as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        [pid] = [p for p in d.children() if "j" in command_line(p)[1:]]
        waiting = d.ask_post("j", [at(0, v=1)])
        closing = d.ask("POST", JOBS + "/j/_close")
        # Both the answers and the request to kill wait for the daemon.
        os.kill(d.pid, signal.SIGSTOP)
        with d.socket() as s:
            s.sendall(b"POST %s/j/_close?force=true HTTP/1.1\r\n"
                b"Host: localhost\r\nContent-Length: 0\r\n\r\n" %
                JOBS.encode())
            time.sleep(1)
            os.kill(d.pid, signal.SIGCONT)
            assert s.recv(100).startswith(b"HTTP/1.1 200 "), d.log()
        assert waiting.answer().status in (202, 409)
        expect_error(closing.answer(), 409, "status_exception",
            "Close job interrupted by kill request")
        assert d.stats("j")["state"] == "closed", d.log()


@timeout(200)       # for ten workers in a row
def test_worker_that_says_it_is_idle_but_owes_an_answer():
    program = reacting(WORKER_OPEN, "if kind == PING: pong(payload)")
    with libexec(worker=program) as where, Daemon(libexec_dir=where,
            watchdog_timeout="1s", max_restart_delay="1s") as d:
        d.make_job("j", job())
        d.make_job("idle", job())
        time.sleep(3)
        answer = d.try_post("j", [at(0, v=1)], seconds=150)
        assert answer.status == 500, answer
        assert "watchdog" in answer.error["reason"], answer
        assert d.stats("idle")["state"] == "opened"
        closing = d.request("POST", JOBS + "/idle/_close", seconds=150)
        assert closing.status == 500, "it never closes"


@timeout(200)
def test_worker_that_lives_on_behind_its_close():
    program = reacting(WORKER_OPEN, """
if kind == PING: pong(payload)
if kind == CLOSE: put(CLOSED, 0, span(b""))
""")
    with libexec(worker=program) as where, Daemon(libexec_dir=where,
            watchdog_timeout="1s", max_restart_delay="1s") as d:
        d.make_job("j", job())
        close = d.request("POST", JOBS + "/j/_close", seconds=150)
        assert close.status == 500, close
        assert "watchdog" in close.error["reason"], close


def test_worker_whose_error_is_no_error():
    for status, links in ((0, 1), (100, 1), (204, 1), (399, 1), (600, 1),
            (500, 0)):
        program = reacting(WORKER_OPEN, """
if kind == SEAL: put(FAILED, request, failed(%d, b"no", %d))
""" % (status, links))
        with libexec(worker=program) as where, Daemon(
                libexec_dir=where) as d:
            d.make_job("j", job())
            answer = post_one(d)
            assert answer.status == 500, (status, links, answer)
            assert "cannot be read" in answer.error["reason"], answer


def test_counts_with_something_behind_them():
    program = reacting(WORKER_OPEN,
        "if kind == SEAL: put(COUNTS, request, span(counts() + b'x'))")
    with libexec(worker=program) as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        assert post_one(d).status == 500


def test_reason_of_a_child_stays_one_line_of_the_log():
    program = "get(); get()\n" \
        "put(FAILED, 0, failed(500, b'a\\nanomd: info: forged\\x1b[31m'))\n"
    with libexec(worker=program) as where, Daemon(libexec_dir=where) as d:
        d.put_job("j", job())
        assert d.request("POST", JOBS + "/j/_open").status == 500
        lines = [l for l in d.log().split("\n") if "forged" in l]
        assert len(lines) == 1 and "FAILED" in lines[0], lines
        assert "\x1b" not in lines[0], lines


def test_missing_directory_of_a_job_is_not_told_by_its_path():
    with Daemon() as d:
        d.put_job("j", job())
        [name] = os.listdir(os.path.join(d.state_dir, "jobs"))
        shutil.rmtree(os.path.join(d.state_dir, "jobs", name))
        answer = d.request("POST", JOBS + "/j/_open")
        assert answer.status == 500, answer
        assert d.state_dir.encode() not in answer.body, answer
        d.delete_job("j", query="?force=true")


def test_held_up_supervisor_spares_its_workers():
    """Its own silence is no fault of theirs."""
    with Daemon(watchdog_timeout="1s") as d:
        d.make_job("j", job())
        pid = d.worker_pid("j")
        os.kill(d.pid, signal.SIGSTOP)
        time.sleep(4)
        os.kill(d.pid, signal.SIGCONT)
        time.sleep(2)
        assert d.stats("j")["state"] == "opened", d.log()
        assert d.worker_pid("j") == pid
        check_counts(d.post("j", [at(0, v=1)]), processed_record_count=1)


# ---- query processes

def ask_results(d, n):
    """n queries at once; their answers in the order they were asked."""
    answers = [in_background(d.get, JOBS + "/j/results/buckets")
        for _ in range(n)]
    return [answer() for answer in answers]


def test_answer_that_is_given_twice_reaches_nobody_else():
    program = reacting(QUERY_OPEN, """
if kind == QUERY:
    for _ in range(2):
        put(PART, request, b'{"id":%d}' % request)
        put(END, request, u64(len(b'{"id":%d}' % request)))
""")
    with libexec(query=program) as where, Daemon(libexec_dir=where,
            max_query_processes=1) as d:
        d.put_job("j", job())
        seen = [r.json["id"] for r in ask_results(d, 6) if r.status == 200]
        assert seen and len(set(seen)) == len(seen), seen


def test_query_that_ends_with_another_length():
    for part, length in (("", 0), ("put(PART, request, b'{}'); ", 3)):
        program = reacting(QUERY_OPEN,
            "if kind == QUERY: %sput(END, request, u64(%d))" % (part, length))
        with libexec(query=program) as where, Daemon(
                libexec_dir=where) as d:
            d.put_job("j", job())
            [answer] = ask_results(d, 1)
            assert answer.status == 500, answer


def test_query_that_answers_for_another():
    program = reacting(QUERY_OPEN, """
if kind == QUERY:
    put(PART, request + 1, b"{}")
    put(END, request + 1, u64(2))
""")
    with libexec(query=program) as where, Daemon(libexec_dir=where) as d:
        d.put_job("j", job())
        assert [r.status for r in ask_results(d, 3)] == [500] * 3


@timeout(120)
def test_clients_that_do_not_read_hold_up_no_other_results():
    with Daemon(max_query_processes=2) as d:
        d.make_job("j", job(span="1m", by_field_name="b"))
        d.make_job("other", job())
        # Large rows: the answer is larger than what sockets hold.
        name = "x" * 12500
        d.post("j", [at(i * 60, v=10 ** (i * 7919 % 13), b=name)
            for i in range(6000)])
        path = JOBS + "/j/results/records?size=10000"
        assert len(d.get(path).body) > 9000000
        crowd = [d.socket(60) for _ in range(2)]
        for s in crowd:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" %
                path.encode())
        for s in crowd:
            assert s.recv(1) == b"H"    # each has a process that answers it
        d.results("other", "buckets")
        assert "held up by a client that does not read" in d.log(), d.log()
        for s in crowd:
            s.close()


# ---- keepers

def test_keeper_that_answers_out_of_order():
    """A job is gone with its deletion; nothing of it may be answered then."""
    program = reacting(KEEPER_OPEN, """
if kind == CREATE:
    incarnation += 1
    put(DONE, request, u64(incarnation))
if kind == STATE: kept = request
if kind == DELETE:
    put(DONE, request, u64(0))
    if "kept" in dir(): put(DONE, kept, u64(0))
""")
    with libexec(keeper=program, worker=reacting(WORKER_OPEN,
            "if kind == PING: pong(payload)")) as where:
        with Daemon(libexec_dir=where, stop_timeout="2s") as d:
            d.put_job("j", job())
            opening = in_background(d.request, "POST", JOBS + "/j/_open")
            wait_until(lambda: d.stats("j")["state"] == "opened", 5, "open")
            # The deletion is asked for until a keeper answers in order.
            deleted = d.request("DELETE", JOBS + "/j?force=true")
            assert deleted.status == 200, deleted
            assert opening(5).status == 503
            assert d.get("/").status == 200
            assert "was not asked" in d.log(), d.log()


def test_deletion_that_the_keeper_had_done_already():
    """Else the job could be neither deleted nor made anew."""
    program = reacting(KEEPER_OPEN, """
if kind == CREATE:
    incarnation += 1
    put(DONE, request, u64(incarnation))
if kind == DELETE: put(FAILED, request, failed(404, b"No known job"))
""")
    with libexec(keeper=program) as where, Daemon(libexec_dir=where) as d:
        d.put_job("j", job())
        d.delete_job("j")
        d.put_job("j", job())


def test_keeper_that_adds_jobs_later_or_gives_no_number():
    unasked = reacting(KEEPER_OPEN, """
put(JOB, request, span(b"new") + u64(7) + span(b'{"analysis_config":{'
    b'"bucket_span":"1h","detectors":[{"function":"count"}]},'
    b'"data_description":{"time_field":"time"}}') +
    struct.pack(">qq", 0, UNSET) + span(b"") + b"\\0" + span(b""))
put(DONE, request, u64(1))
""")
    without = reacting(KEEPER_OPEN, "put(DONE, request, u64(0))")
    for program, status in ((unasked, 503), (without, 500)):
        with libexec(keeper=program) as where, Daemon(
                libexec_dir=where) as d:
            answer = d.request("PUT", JOBS + "/j", job())
            assert answer.status == status, answer
            assert d.get(JOBS).json["count"] == 0


# ---- the state directory

def job_directory(d, job_id):
    base = os.path.join(d.state_dir, "jobs")
    [name] = [n for n in os.listdir(base) if n.startswith(job_id + ".")]
    return os.path.join(base, name)


def test_empty_catalogue_does_not_make_rubbish_of_data():
    with Daemon() as d:
        d.make_job("j", job())
        d.post("j", [at(i * 60, v=i) for i in range(200)])
        data = job_directory(d, "j")
        parts = sorted(os.listdir(data))
        d.stop()
        for name in os.listdir(d.state_dir):
            if name.startswith("catalog.db"):
                os.unlink(os.path.join(d.state_dir, name))
        # Beside jobs it would not be made: so somebody has put them there.
        jobs = os.path.join(d.state_dir, "jobs")
        os.rename(jobs, jobs + ".away")
        d.start()
        d.stop()
        os.rmdir(jobs)
        os.rename(jobs + ".away", jobs)
        d.start()
        assert d.get(JOBS).json["count"] == 0
        d.make_job("j", job())
        assert len(os.listdir(os.path.dirname(data))) == 2
        d.restart()
        assert sorted(os.listdir(data)) == parts
        assert os.listdir(os.path.join(data, "snapshots")), "it is gone"
        assert "left alone" in d.log()


def test_what_is_planted_in_the_state_directory_keeps_nobody_from_starting():
    with Daemon() as d, tempfile.TemporaryDirectory() as outside:
        with open(os.path.join(outside, "file"), "w"):
            pass
        d.make_job("j", job())
        d.make_job("linked", job())
        d.stop()
        shutil.rmtree(job_directory(d, "linked"))
        os.makedirs(os.path.join(d.state_dir, "trash", "deep", "er"))
        for name in ("jobs/x.7", "jobs/linked.2", "trash/y",
                "trash/deep/er/z"):
            os.symlink(outside, os.path.join(d.state_dir, name))
        os.mkfifo(os.path.join(d.state_dir, "jobs", "pipe.8"))
        d.start()
        wait_until(lambda: d.stats("linked")["state"] == "failed", 10,
            "the job without a directory to fail")
        wait_until(lambda: d.stats("j")["state"] == "opened", 10, "opened")
        check_counts(d.post("j", [at(0, v=1)]), processed_record_count=1)
        d.delete_job("linked", query="?force=true")
        d.restart()
        assert os.listdir(outside) == ["file"], os.listdir(outside)
        assert d.get(JOBS).json["count"] == 1


def test_pipe_in_place_of_results_holds_up_nobody():
    with Daemon(max_query_processes=1) as d:
        d.put_job("piped", job())
        d.put_job("other", job())
        os.mkfifo(os.path.join(job_directory(d, "piped"), "results",
            "results.db"))
        answer = d.get(JOBS + "/piped/results/buckets", seconds=10)
        assert answer.status == 500, answer
        assert d.results("other", "buckets")["count"] == 0


# ---- many clients

@timeout(120)
def test_late_data_of_refused_uploads_does_not_end_the_worker():
    """512 that stall, more than that put off while the worker is busy."""
    with Daemon(max_connections=3000, prefix=["prlimit", "--nofile=8192"],
            max_inflight_size="1mb") as d:
        d.make_job("j", job())
        pid = d.worker_pid("j")
        part = b"x" * 300000

        def begin():
            s = d.socket(20)
            s.sendall(b"POST %s/j/_data HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % (JOBS.encode(),
                len(part) + 1) + part)
            return s

        crowd = [begin() for _ in range(512)]
        time.sleep(1)
        os.kill(pid, signal.SIGSTOP)
        late = [in_background(begin) for _ in range(900)]
        time.sleep(3 * SCALE)
        os.kill(pid, signal.SIGCONT)
        for begun in late:
            with contextlib.suppress(OSError):
                crowd.append(begun())
        assert d.stats("j")["state"] == "opened", d.log()[-2000:]
        for s in crowd:
            s.close()
        check_counts(d.post("j", [at(0, v=1)]), processed_record_count=1)
        assert d.worker_pid("j") == pid
