"""What breaks: one job suffers at most, and data that was counted stays.

Processes are killed by their process ids, which are the daemon's children.
"""

import contextlib
import glob
import shutil
import socket
import tempfile

from harness import *


def large_upload(records=400000, span=1):
    """About 24 bytes a record; the time goes on by span every 100."""
    return b"".join(b'{"time":%d,"v":%d}\n' % (T0 + i // 100 * span, i % 97)
        for i in range(records))


def kill_worker(d, job_id):
    """SIGKILL; returns the process id that it had."""
    pid = d.worker_pid(job_id)
    os.kill(pid, signal.SIGKILL)
    return pid


def bring_back(d, job_id):
    """Wait until another worker has taken over; the job stays opened."""
    def recovered():
        stats = d.stats(job_id)
        assert stats["state"] == "opened", stats
        recovery = stats.get("recovery")
        return recovery if recovery and not recovery["recovering"] else None
    recovery = wait_until(recovered, 90, "job %s to recover" % job_id)
    assert recovery["last_death"], recovery


# ---- workers

def test_worker_killed_while_it_reads_a_large_upload():
    with Daemon(max_restart_delay="1s") as d:
        d.make_job("j", job())
        body = large_upload()
        count = 0
        for delay in (0.0, 0.05, 0.2, 0.4):
            answer = in_background(d.try_post, "j", body)
            time.sleep(delay * SCALE)
            kill_worker(d, "j")
            response = answer()
            bring_back(d, "j")
            after = d.stats("j")["data_counts"]["input_record_count"]
            # All or nothing; and never nothing after an answer of 202.
            allowed = [count + 400000]
            if response.status != 202:
                allowed.append(count)
            assert after in allowed, (delay, after, allowed, response)
            assert d.get("/").status == 200
            count = after


def test_worker_killed_while_the_body_still_comes():
    with Daemon() as d:
        d.make_job("j", job())
        body = large_upload(100000)
        with d.socket(30) as s:
            s.sendall(b"POST /_ml/anomaly_detectors/j/_data HTTP/1.1\r\n"
                b"Host: localhost\r\nConnection: close\r\n"
                b"Content-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body) +
                body[:len(body) // 2])
            time.sleep(0.2)
            kill_worker(d, "j")
            bring_back(d, "j")
            try:
                s.sendall(body[len(body) // 2:])
                answer = read_all(s)
            except (BrokenPipeError, ConnectionResetError):
                answer = b""
            assert not answer.startswith(b"HTTP/1.1 202"), answer
        check_counts(d.stats("j")["data_counts"], input_record_count=0)
        check_counts(d.post("j", [at(0, v=1)]), processed_record_count=1)


def test_worker_killed_while_it_closes():
    with Daemon(max_restart_delay="1s") as d:
        d.put_job("j", job())
        for n in range(8):
            d.open_job("j")
            d.post("j", [at(n, v=1)])
            pid = d.worker_pid("j")
            answer = in_background(d.request, "POST",
                "/_ml/anomaly_detectors/j/_close", seconds=60)
            time.sleep(0.002 * n)
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            response = answer()
            assert response.status == 200, response
            assert d.stats("j")["state"] == "closed"
        d.open_job("j")
        check_counts(d.stats("j")["data_counts"], processed_record_count=8)


def test_worker_killed_while_it_opens():
    with Daemon(max_restart_delay="1s") as d:
        d.make_job("j", job())
        d.post("j", [at(i, v=i) for i in range(1000)])
        for n in range(6):
            d.close_job("j")
            answer = in_background(d.request, "POST",
                "/_ml/anomaly_detectors/j/_open", seconds=60)
            time.sleep(0.002 * n)
            with contextlib.suppress(AssertionError, ProcessLookupError):
                kill_worker(d, "j")
            assert answer().status == 200, answer()
        check_counts(d.stats("j")["data_counts"],
            processed_record_count=1000)


def test_worker_killed_again_and_again_costs_no_record():
    with Daemon(max_restart_delay="1s") as d:
        d.make_job("j", job(by_field_name="k"))
        total = 0
        for n in range(5):
            d.post("j", [at(60 * n + i, v=i, k="abc"[i % 3])
                for i in range(50)])
            total += 50
            kill_worker(d, "j")
            bring_back(d, "j")
            check_counts(d.stats("j")["data_counts"],
                processed_record_count=total)


@timeout(90)
def test_hung_worker_is_found_by_the_watchdog():
    with Daemon(watchdog_timeout="2s") as d:
        d.make_job("j", job())
        d.make_job("other", job())
        d.post("j", [at(0, v=1)])
        os.kill(d.worker_pid("j"), signal.SIGSTOP)
        waiting = in_background(d.try_post, "j", [at(1, v=1)])
        check_counts(d.post("other", [at(0, v=1)]), processed_record_count=1)
        bring_back(d, "j")
        check_counts(expect(202, waiting()), processed_record_count=1)
        assert "watchdog" in d.log(), d.log()
        check_counts(d.post("j", [at(2, v=1)]), processed_record_count=1)


def test_long_upload_is_no_hang():
    with Daemon(watchdog_timeout="1s") as d:
        d.make_job("j", job(span="1s"))
        pid = d.worker_pid("j")
        # Many buckets make it slow, far longer than the watchdog waits.
        d.post("j", large_upload(1000000))
        assert d.worker_pid("j") == pid


# ---- the other processes

def test_killed_supervisor_keeps_jobs_and_data():
    with Daemon() as d:
        d.make_job("j", job())
        d.put_job("closed", job())
        d.post("j", [at(i * 600, v=i % 5) for i in range(100)])
        d.flush("j")
        buckets = d.results("j", "buckets", "?size=1000")
        counts = d.stats("j")["data_counts"]
        family = d.children()
        d.kill()
        for pid, name in family.items():
            assert not is_alive(pid, name), "%s %d is an orphan" % (name, pid)
        d.start()
        wait_until(lambda: d.stats("j")["state"] == "opened", 20,
            "the job to be opened again")
        assert d.stats("closed")["state"] == "closed"
        after = d.stats("j")["data_counts"]
        for c in (counts, after):
            c.pop("log_time", None)
        assert after == counts, (counts, after)
        again = d.results("j", "buckets", "?size=1000")
        assert [(b["timestamp"], b["event_count"]) for b in
            again["buckets"]] == [(b["timestamp"], b["event_count"])
            for b in buckets["buckets"]]
        check_counts(d.post("j", [at(60000, v=1)]), processed_record_count=1)


def test_supervisor_killed_during_an_upload():
    with Daemon() as d:
        d.make_job("j", job())
        d.post("j", [at(0, v=1)])
        answer = in_background(d.try_post, "j", large_upload())
        time.sleep(0.2 * SCALE)
        d.kill()
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer()
        d.start()
        wait_until(lambda: d.stats("j")["state"] == "opened", 20,
            "the job to be opened again")
        d.flush("j")
        count = d.stats("j")["data_counts"]["processed_record_count"]
        assert count in (1, 400001), count


def test_close_under_way_at_the_end_holds_after_it():
    """What a client closed is not opened again, what it left open is."""
    with Daemon() as d:
        d.make_job("closing", job())
        d.make_job("left", job())
        pid = d.worker_pid("closing")
        os.kill(pid, signal.SIGSTOP)
        closed = in_background(d.close_job, "closing")
        wait_until(lambda: d.stats("closing")["state"] == "closing", 10,
            "closing")
        os.kill(d.pid, signal.SIGTERM)
        wait_until(lambda: "closing all jobs" in d.log(), 10, "the end")
        os.kill(pid, signal.SIGCONT)
        assert closed() == {"closed": True}
        assert d.wait() == 0, d.log()
        d.start()
        wait_until(lambda: d.stats("left")["state"] == "opened", 10, "left")
        assert d.stats("closing")["state"] == "closed"


def test_killed_keeper_is_started_again():
    with Daemon() as d:
        d.put_job("one", job())
        [pid] = d.pids_of("anomd-keeper")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: d.pids_of("anomd-keeper") not in ([], [pid]), 10,
            "another keeper")
        assert ("keeper: killed by signal 9 (Killed); another one is started"
            in d.log()), d.log()
        d.put_job("two", job())
        d.delete_job("one")
        d.restart()
        assert d.get("/_ml/anomaly_detectors/one").status == 404
        assert d.get("/_ml/anomaly_detectors/two").status == 200


def test_signals_of_a_terminal_end_the_daemon_in_order():
    for sig in (signal.SIGINT, signal.SIGHUP):
        with Daemon() as d:
            d.make_job("j", job())
            d.post("j", [at(0, v=1)])
            assert d.results("j", "buckets")["count"] == 0
            for pid in d.children():
                os.kill(pid, sig)
            time.sleep(0.2)
            d.get("/")
            os.kill(d.pid, sig)
            assert d.wait() == 0
            log = d.log()
            assert "job j: CLOSING -> CLOSED: closed" in log, log
            assert "warning" not in log, log


def test_killed_query_process_is_started_again():
    with Daemon() as d:
        d.make_job("j", job())
        d.post("j", [at(i * 600, v=1) for i in range(60)])
        d.flush("j")
        for _ in range(3):
            assert d.results("j", "buckets")["count"] == 9
            pids = d.pids_of("anomd-query")
            assert pids, d.children()
            for pid in pids:
                os.kill(pid, signal.SIGKILL)
        assert d.results("j", "buckets")["count"] == 9
        assert "query process: killed by signal 9 (Killed)" in d.log(), d.log()


# ---- the system

def end_of_start(d):
    """Start it where it cannot run; returns status and log."""
    d.start(wait=False)
    status = d.wait()
    return status, d.log()


class Abandoned:
    """Leave nothing of a daemon that was started by hand."""

    def __init__(self, daemon):
        self.daemon = daemon

    def __enter__(self):
        return self.daemon

    def __exit__(self, *_):
        self.daemon.kill()


def test_port_in_use_is_said_clearly():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        d = Daemon(listen="127.0.0.1:%d" % port)
        with Abandoned(d):
            status, log = end_of_start(d)
            assert status == 1, status
            assert str(port) in log and "in use" in log, log


def test_why_it_does_not_start_is_said_at_every_log_level():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        d = Daemon(listen="127.0.0.1:%d" % s.getsockname()[1],
            log_level="error")
        with Abandoned(d):
            status, log = end_of_start(d)
            assert status == 1 and "in use" in log, (status, log)
            assert "error: ended with status 1" in log, log


def test_unwritable_state_directory_is_said_clearly():
    for bad in ("/proc/anomd", "/dev/null/anomd"):
        with Abandoned(Daemon()) as d:
            d.options["state_dir"] = bad
            status, log = end_of_start(d)
            assert status == 1, (status, log)
            assert bad in log, log


def test_public_listener_needs_the_word_insecure():
    with Abandoned(Daemon(listen="0.0.0.0:0")) as d:
        status, log = end_of_start(d)
        assert status == 1 and "insecure" in log, (status, log)


def test_configuration_is_checked_before_anything_starts():
    for key, value in (("no_such_key", "1"), ("max_body_size", "many"),
            ("journal_sync", "sometimes"), ("head_timeout", "0s")):
        with Abandoned(Daemon(**{key: value})) as d:
            status, log = end_of_start(d)
            assert status == 1, (key, status, log)
            assert key in log and "anomd.conf" in log, (key, log)


def test_check_and_print_of_the_configuration():
    d = Daemon(max_body_size="5mb", allowed_host=["a.example", "b.example"])
    program = os.path.join(BUILD, "anomd")
    command = [program, "-f", d.write_config()]
    assert subprocess.run(command + ["-n"]).returncode == 0
    printed = subprocess.run(command + ["-nv", "-o", "log_level=debug"],
        check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = printed.split("\n")
    for line in ("max_body_size 5mb", "allowed_host a.example",
            "allowed_host b.example", "log_level debug",
            "max_connections 1024"):
        assert line in lines, (line, printed)
    with tempfile.NamedTemporaryFile("w") as again:
        again.write(printed)
        again.flush()
        second = subprocess.run([program, "-f", again.name, "-nv"],
            check=True, stdout=subprocess.PIPE, text=True).stdout
    assert second == printed, "what it prints reads back as the same"
    assert subprocess.run([program, "-V"], check=True,
        stdout=subprocess.PIPE).stdout.strip()
    assert subprocess.run([program, "-Z"],
        stderr=subprocess.DEVNULL).returncode == 1


def test_service_manager_is_told():
    """What sd_notify(3) carries: ready once it serves, jobs, the end."""
    with tempfile.TemporaryDirectory() as where:
        path = os.path.join(where, "notify")
        said = []
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(path)
            s.settimeout(0.1)

            def hears(text):
                with contextlib.suppress(TimeoutError):
                    while True:
                        said.extend(s.recv(4096).decode().split("\n"))
                return text in said

            with Daemon(env={"NOTIFY_SOCKET": path,
                    "WATCHDOG_USEC": "5000000"}) as d:
                if not hears("READY=1"):
                    raise Skip("built without libsystemd")
                assert "listening on" in d.log()
                d.make_job("a", job())
                d.put_job("b", job())
                wait_until(lambda: hears(
                    "STATUS=Serving: 2 jobs, 1 open, 0 failed"), 10, "status")
                kill_worker(d, "a")
                wait_until(lambda: hears(
                    "STATUS=Serving: 2 jobs, 1 open, 0 failed"), 10, "status")
                wait_until(lambda: hears("WATCHDOG=1"), 10, "a sign of life")
                assert "STOPPING=1" not in said
                os.kill(d.pid, signal.SIGTERM)
                assert d.wait() == 0
                assert hears("STOPPING=1")


def test_closed_standard_streams_get_no_socket_in_their_place():
    with Daemon(prefix=["sh", "-c", 'exec "$@" <&- >&-', "sh"]) as d:
        d.make_job("j", job())
        check_counts(d.post("j", [at(0, v=1)]), processed_record_count=1)
        for fd in ("0", "1"):
            assert os.readlink("/proc/%d/fd/%s" % (d.pid, fd)) == "/dev/null"


@timeout(90)
def test_no_descriptors_left():
    """Accepting pauses, and goes on; what is connected is served."""
    with Daemon(prefix=["prlimit", "--nofile=96:96"],
            idle_timeout="300s") as d:
        d.make_job("j", job())
        with d.socket(60) as early:
            crowd = []
            try:
                for _ in range(200):
                    crowd.append(socket.create_connection(("127.0.0.1",
                        d.port), timeout=5))
                time.sleep(0.5)
                early.sendall(b"GET /_ml/anomaly_detectors/j/_stats HTTP/1.1"
                    b"\r\nHost: localhost\r\n\r\n")
                assert early.recv(1000).startswith(b"HTTP/1.1 200"), d.log()
                used = cpu_seconds(d.pid)
                time.sleep(1)
                assert cpu_seconds(d.pid) - used < 0.5 * SCALE, "it spins"
            finally:
                for s in crowd:
                    s.close()
        wait_until(lambda: d.get("/").status == 200, 20, "accepting again")
        check_counts(d.post("j", [at(0, v=1)]), processed_record_count=1)
        assert len(d.log()) < 100000, "the log is not flooded"


def test_connections_beyond_the_limit_wait_or_are_refused():
    with Daemon(max_connections=20) as d:
        crowd = [d.socket() for _ in range(40)]
        time.sleep(0.3)
        for s in crowd:
            s.close()
        wait_until(lambda: d.get("/").status == 200, 10, "service again")


@timeout(90)
def test_slow_head_slow_body_and_idleness_have_their_end():
    with Daemon(head_timeout="1s", body_timeout="2s", idle_timeout="1s") as d:
        d.make_job("j", job())
        start = time.monotonic()
        with d.socket(30) as slow_head, d.socket(30) as idle:
            slow_head.settimeout(0.2)
            answer = None
            for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\n" * 9:
                try:
                    slow_head.sendall(bytes([byte]))
                    answer = slow_head.recv(100)
                    break
                except TimeoutError:
                    continue
                except OSError:
                    answer = b""
                    break
            assert answer is not None, "a slow head is never ended"
            assert not answer or answer.startswith(b"HTTP/1.1 408"), answer
            idle.settimeout(10 * PATIENCE)
            assert idle.recv(100) == b"", "an idle connection is closed"
        body = d.raw(b"POST /_ml/anomaly_detectors/j/_data HTTP/1.1\r\n"
            b"Host: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{", seconds=30)
        assert not body or body.startswith(b"HTTP/1.1 408"), body
        assert time.monotonic() - start < 30 * PATIENCE
        check_counts(d.stats("j")["data_counts"], input_record_count=0)


# ---- many at once

@timeout(120)
def test_line_of_a_job_holds_a_hundred():
    with Daemon() as d:
        d.make_job("j", job())
        pid = d.worker_pid("j")
        os.kill(pid, signal.SIGSTOP)
        asked = [d.ask_post("j", [at(n, v=n)]) for n in range(200)]
        os.kill(pid, signal.SIGCONT)
        responses = [a.answer() for a in asked]
        statuses = [r.status for r in responses]
        taken = statuses.count(202)
        assert taken == 100, statuses
        assert statuses.count(429) == 100, statuses
        for r in responses:
            if r.status == 202:
                check_counts(r.json, processed_record_count=1)
            else:
                assert int(r.headers["retry-after"]) > 0, r.headers
                assert r.error["type"] in ("es_rejected_execution_exception",
                    "status_exception"), r
        check_counts(d.stats("j")["data_counts"],
            processed_record_count=taken)


@timeout(240)
def test_posts_to_many_jobs_at_once_mix_nothing():
    jobs = 200
    with Daemon() as d:
        for n in range(jobs):
            d.make_job("j%d" % n, job(field="v%d" % n))
        # Each job counts only fields of its own: another's are missing.
        answers = [in_background(d.try_post, "j%d" % n,
            [{"time": T0 + i, "v%d" % n: i} for i in range(n + 1)])
            for n in range(jobs)]
        for n, answer in enumerate(answers):
            response = answer()
            assert response.status == 202, (n, response)
            check_counts(response.json, job_id="j%d" % n,
                processed_record_count=n + 1, missing_field_count=0)
        for n in range(0, jobs, 7):
            check_counts(d.stats("j%d" % n)["data_counts"],
                processed_record_count=n + 1, missing_field_count=0)


@timeout(240)
def test_concurrent_uploads_to_one_job_never_mix():
    with Daemon() as d:
        d.make_job("j", job())
        body = large_upload(30000, span=0)      # flows, in frames
        answers = [in_background(d.try_post, "j", body) for _ in range(12)]
        for answer in answers:
            response = answer()
            assert response.status == 202, response
            check_counts(response.json, processed_record_count=30000,
                invalid_date_count=0, missing_field_count=0,
                input_bytes=len(body))


@timeout(240)
def test_large_post_takes_little_memory_of_the_supervisor():
    with Daemon(max_body_size="200mb", prefix=["env",
            "ASAN_OPTIONS=quarantine_size_mb=1"]) as d:
        d.make_job("j", job(span="10m"))
        d.post("j", [at(0, v=1)])
        line = b'{"time":%d,"v":%d,"note":"' + b"x" * 80 + b'"}\n'
        body = b"".join(line % (T0 + i // 1000, i % 97)
            for i in range(860000))
        assert len(body) > 100_000_000, len(body)
        before = d.resident_kb()
        post = in_background(d.try_post, "j", body, seconds=200)
        peak, waits = before, []
        while True:
            peak = max(peak, d.resident_kb())
            start = time.monotonic()
            d.results("j", "buckets", "?size=100")
            waits.append(time.monotonic() - start)
            time.sleep(0.02)
            try:
                response = post(seconds=0.001 / SCALE)
                break
            except AssertionError:
                continue
        assert response.status == 202, response
        check_counts(response.json, processed_record_count=860000)
        waits.sort()
        print("100 MB post: supervisor %d kB above %d kB; %d result pages "
            "meanwhile: median %.1f ms, 99 %% %.1f ms, most %.1f ms" % (
            peak - before, before, len(waits), 1e3 * waits[len(waits) // 2],
            1e3 * waits[len(waits) * 99 // 100], 1e3 * waits[-1]))
        assert peak - before <= 10 * 1024, (before, peak)


# ---- full and broken disks

def test_broken_catalogue_is_taken_from_its_copy_while_that_is_whole():
    with Daemon() as d:
        def ruin(name):
            with open(os.path.join(d.state_dir, name), "r+b") as f:
                f.write(b"\xff" * 4096)

        d.put_job("j", job())
        d.kill()
        ruin("catalog.db")
        d.start()
        assert d.get("/_ml/anomaly_detectors").json["count"] == 1
        log = d.log()
        assert "catalog.db: damaged at byte 0: not the head of" in log, log
        assert "catalog.db: made from catalog.db.copy" in log, log
        with open(os.path.join(d.state_dir, "catalog.db.damaged"), "rb") as f:
            assert f.read(16) == b"\xff" * 16, "it is kept"
        d.kill()
        ruin("catalog.db.copy")
        d.restart()
        assert "catalog.db.copy: damaged at byte 0" in d.log()
        d.kill()
        ruin("catalog.db")
        d.restart()
        assert d.get("/_ml/anomaly_detectors").json["count"] == 1
        d.kill()
        ruin("catalog.db")
        ruin("catalog.db.copy")
        status, log = end_of_start(d)
        assert status == 1, (status, log)
        assert "there is no whole catalog.db.copy" in log, log


def test_job_without_its_directory_says_so_in_one_line():
    with Daemon() as d:
        d.put_job("j", job())
        d.kill()
        [directory] = glob.glob(os.path.join(d.state_dir, "jobs", "j.*"))
        shutil.rmtree(directory)
        d.start()
        response = d.request("POST", "/_ml/anomaly_detectors/j/_open")
        assert response.status == 500, response
        reason = response.error["reason"]
        assert "directory of the job" in reason, response
        assert directory not in reason, response
        lines = [line for line in d.log().split("\n")
            if "No such file" in line]
        assert lines == ["anomd: warning: job j: OPENING -> FAILED: worker "
            "failed: directory of the job: No such file or directory"], lines
        assert d.delete_job("j", query="?force=true")


def test_job_with_a_broken_journal_fails_alone():
    with Daemon() as d:
        d.make_job("broken", job())
        d.make_job("sound", job())
        for name in ("broken", "sound"):
            d.post(name, [at(i, v=i) for i in range(50)])
        d.kill()
        base = os.path.join(d.state_dir, "jobs")
        [directory] = [n for n in os.listdir(base) if n.startswith("broken.")]
        journal = os.path.join(base, directory, "journal")
        for name in os.listdir(journal):
            path = os.path.join(journal, name)
            with open(path, "r+b") as f:
                size = os.path.getsize(path)
                if size > 40:
                    f.seek(size - 30)
                    f.write(b"\xaa" * 10)
        d.start()
        wait_until(lambda: d.stats("sound")["state"] == "opened", 20,
            "the sound job")
        check_counts(d.stats("sound")["data_counts"],
            processed_record_count=50)
        state = d.stats("broken")["state"]
        assert state in ("opened", "opening", "failed"), state
        assert d.delete_job("broken", query="?force=true")


def test_jobs_without_a_catalogue_are_no_new_daemon():
    with tempfile.TemporaryDirectory() as temp:
        state = os.path.join(temp, "state")
        with Daemon(state_dir=state) as d:
            d.make_job("a", job())
            d.post("a", [at(i, v=i) for i in range(10)])
        for name in os.listdir(state):
            if name.startswith("catalog.db"):
                os.rename(os.path.join(state, name), os.path.join(temp, name))
        d = Daemon(state_dir=state)
        try:
            d.start(wait=False)
            assert d.wait() == 1
            assert "but jobs/ has jobs: bring one of them back" in d.log()
        finally:
            d.kill()
        assert os.listdir(os.path.join(state, "jobs")) == ["a.1"]
        assert "catalog.db" not in os.listdir(state), os.listdir(state)
        os.rename(os.path.join(temp, "catalog.db.copy"),
            os.path.join(state, "catalog.db.copy"))
        with Daemon(state_dir=state) as d:
            check_counts(d.stats("a")["data_counts"],
                processed_record_count=10)
        os.rename(os.path.join(state, "jobs"), os.path.join(temp, "jobs"))
        for name in os.listdir(state):
            if name.startswith("catalog.db"):
                os.unlink(os.path.join(state, name))
        with Daemon(state_dir=state) as d:
            assert d.get(ML + "/anomaly_detectors").json["count"] == 0
