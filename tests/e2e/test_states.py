"""Requests that meet a job on its way from one state to another."""


from harness import *
from hostile import libexec
from test_life import (Background, T0, blocked, frozen, keeper, path, post,
    state, upgrade, upgrade_mode)

# A worker that is alive and never ready.
NEVER_READY = """
while True:
    kind, request, payload = get()
    if kind == PING:
        put(PONG, request, pong(payload))
"""
CLOSED_WHILE_OPENING = "The job has been closed while waiting to be opened"


def opening(d, job_id):
    """The answer to come of an opening that is under way."""
    answer = Background(lambda: post(d, job_id, "/_open"))
    wait_until(lambda: state(d, job_id) == "opening", 10, "opening")
    return answer


def test_jobs_that_open_can_be_closed():
    with libexec(worker=NEVER_READY) as where:
        with Daemon(libexec_dir=where) as d:
            d.put_job("j", job())
            for query in ("", "?force=true"):
                answer = opening(d, "j")
                second = post(d, "j", "/_open")
                expect_error(second, 409, "status_exception",
                    "Cannot open job [j] because it has already been opened")
                assert d.close_job("j", query=query) == {"closed": True}
                expect_error(answer.answer(), 409, "status_exception",
                    CLOSED_WHILE_OPENING)
                assert state(d, "j") == "closed"
                assert d.pids_of("anomd-worker") == []
                assert "finished_time" not in d.get(path("j")).json["jobs"][0]


def test_jobs_that_wait_for_their_turn_can_be_closed_and_deleted():
    with libexec(worker=NEVER_READY) as where:
        with Daemon(libexec_dir=where, max_opening=1) as d:
            answers = {}
            for name in ("first", "closed", "deleted"):
                d.put_job(name, job())
                answers[name] = opening(d, name)
            assert len(d.pids_of("anomd-worker")) == 1
            assert d.close_job("closed") == {"closed": True}
            d.delete_job("deleted", query="?force=true")
            for name in ("closed", "deleted"):
                expect_error(answers[name].answer(), 409, "status_exception",
                    CLOSED_WHILE_OPENING)
            assert not answers["first"].answered
            assert d.close_job("_all") == {"closed": True}
            expect_error(answers["first"].answer(), 409, "status_exception",
                CLOSED_WHILE_OPENING)


def test_a_deletion_by_force_ends_an_opening():
    with libexec(worker=NEVER_READY) as where:
        with Daemon(libexec_dir=where) as d:
            d.put_job("j", job())
            answer = opening(d, "j")
            expect_error(d.request("DELETE", path("j")), 409,
                "status_exception",
                "Cannot delete job [j] because the job is opening")
            expect_error(post(d, "j", "/_reset"), 409, "status_exception",
                "Can only reset a job when it is closed.")
            d.delete_job("j", query="?force=true")
            expect_error(answer.answer(), 409, "status_exception",
                CLOSED_WHILE_OPENING)
            assert d.get(path("j")).status == 404


def test_an_opening_that_fails_says_why():
    with libexec(worker="os._exit(3)\n") as where:
        with Daemon(libexec_dir=where) as d:
            d.put_job("j", job())
            response = post(d, "j", "/_open")
            why = d.stats("j")["assignment_explanation"]
            assert "3" in why, why
            expect_error(response, 500, "exception", "Unexpected job state "
                "[failed] with reason [%s] while waiting for job to be "
                "opened" % why)
            assert state(d, "j") == "failed"
            # It is tried again, as often as it is asked for.
            assert post(d, "j", "/_open").status == 500
            assert d.close_job("j", query="?force=true") == {"closed": True}


def test_what_waits_in_a_job_that_is_killed_is_told():
    with Daemon() as d:
        reason = ("[j] Could not submit operation to process as it has been "
            "killed")
        for rest in ("/_close?force=true", None):
            d.put_job("j", job())
            d.open_job("j")
            with frozen(d.worker_pid("j")):
                asked = [d.ask_post("j", [{"time": T0, "v": 1}]),
                    d.ask("POST", path("j", "/_flush"))]
                assert not any(a.answered for a in asked)
                if rest is None:
                    d.delete_job("j", query="?force=true")
                else:
                    expect(200, post(d, "j", rest))
            for a in asked:
                expect_error(a.answer(), 409, "status_exception", reason)
            if rest is not None:
                assert state(d, "j") == "closed"
                d.delete_job("j")


def test_a_job_that_closes_cannot_be_opened_yet():
    with Daemon() as d:
        d.make_job("j", job())
        with frozen(d.worker_pid("j")):
            close = Background(lambda: post(d, "j", "/_close"))
            wait_until(lambda: state(d, "j") == "closing", 10, "closing")
            expect_error(post(d, "j", "/_open"), 409, "status_exception",
                "Cannot open job [j] because it has already been opened")
        assert expect(200, close.answer()) == {"closed": True}
        d.open_job("j")


def test_a_job_that_failed_is_opened_by_request():
    with Daemon() as d:
        d.make_job("j", job())
        d.post("j", [{"time": T0, "v": 1}])
        d.fail_job("j")
        assert d.open_job("j")["opened"] is True
        check_counts(d.stats("j")["data_counts"], processed_record_count=1)


def test_closing_leaves_out_what_is_being_deleted():
    with Daemon() as d:
        for name in ("j-1", "j-2"):
            d.make_job(name, dict(job(), groups=["g"]))
        d.make_job("k", dict(job(), groups=["h"]))
        d.close_job("j-1")
        d.fail_job("j-2")
        with frozen(keeper(d)):
            deletes = [Background(lambda n=n: d.request("DELETE",
                path(n, "?force=true"))) for n in ("j-1", "j-2")]
            for name in ("j-1", "j-2"):
                wait_until(lambda: blocked(d, name), 10, "blocked")
                assert d.get(path(name)).json["jobs"][0]["deleting"] is True
                expect_error(post(d, name + ",k", "/_close"), 404,
                    "resource_not_found_exception",
                    "No known job with id '%s'" % name)
            assert state(d, "k") == "opened"
            for words in ("j-*", "missing*"):
                assert d.close_job(words) == {"closed": True}
                expect_error(post(d, words,
                    "/_close?allow_no_match=false"), 404,
                    "resource_not_found_exception",
                    "No known job with id '%s'" % words)
            expect_error(post(d, "g", "/_close"), 404,
                "resource_not_found_exception", "No known job with id 'g'")
        for delete in deletes:
            assert expect(200, delete.answer()) == {"acknowledged": True}
        assert d.close_job("*") == {"closed": True}
        assert state(d, "k") == "closed"


def test_the_end_of_upgrade_mode_may_meet_the_end_of_the_daemon():
    with Daemon() as d:
        d.make_job("j", job())
        expect(200, upgrade(d, "?enabled=true"))
        with frozen(keeper(d)):
            assert upgrade(d, "?enabled=false&timeout=1s").status == 408
            os.kill(d.pid, signal.SIGTERM)
            wait_until(lambda: "closing all jobs" in d.log(), 10, "its end")
        assert d.wait() == 0
        d.start()
        assert upgrade_mode(d) is False
        wait_until(lambda: d.stats("j")["assignment_explanation"] == "", 10,
            "opened again")


def test_nothing_begins_at_the_end_of_the_daemon():
    with Daemon() as d:
        d.make_job("busy", job())
        d.put_job("j", job())
        with frozen(d.worker_pid("busy")), d.socket() as s:
            s.sendall(b"POST %s/anomaly_detectors/j/_open HTTP/1.1\r\n"
                % ML.encode())
            assert d.get("/").status == 200, "it has been read"
            os.kill(d.pid, signal.SIGTERM)
            wait_until(lambda: "closing all jobs" in d.log(), 10, "its end")
            s.sendall(b"Host: localhost\r\n\r\n")
            answer = read_all(s)
        assert answer.startswith(b"HTTP/1.1 503 "), answer
        assert b"Cannot open job [j] because anomd ends" in answer, answer
        assert d.wait() == 0
        d.start()
        assert state(d, "j") == "closed"
        assert state(d, "busy") == "opened"
