"""Idempotency-Key: an upload that is sent again counts once."""

import sqlite3
import threading

import secure
from harness import *

T0 = 1403481600
KEY = "Idempotency-Key"
REPLAYED = "idempotent-replayed"


def records(first, n=60):
    return [{"time": T0 + (first + i) * 60, "v": i} for i in range(n)]


def keyed(key, **more):
    return dict({KEY: key}, **more)


def post(d, key, body, query="", **more):
    return d.try_post("j", body, query=query, headers=keyed(key), **more)


def counted(d):
    return d.stats("j")["data_counts"]["processed_record_count"]


def same(first, again):
    """The first answer, and what its repeat got."""
    assert REPLAYED not in first.headers, first.headers
    assert again.headers.get(REPLAYED) == "true", again.headers
    assert (again.status, again.body) == (first.status, first.body), again


def test_a_repeat_gets_the_first_answer_and_is_not_counted():
    with Daemon() as d:
        d.make_job("j", job())
        first = post(d, "one", records(0))
        assert first.status == 202, first
        post(d, "two", records(60))
        same(first, post(d, "one", records(0)))
        assert counted(d) == 120
        # Without a key nothing is a repeat.
        d.post("j", records(60))
        assert d.stats("j")["data_counts"]["input_record_count"] == 180


def test_an_error_is_repeated_too():
    with Daemon() as d:
        d.make_job("j", job())
        body = ndjson(records(0, 2)) + b'{"time": 14034'
        first = post(d, "bad", body)
        assert first.status == 400, first
        before = d.stats("j")["data_counts"]
        same(first, post(d, "bad", body))
        assert d.stats("j")["data_counts"] == before
        gone = post(d, "bad", records(0, 2))
        assert gone.status == 422, gone


def test_another_body_or_query_or_encoding_with_the_key_is_422():
    with Daemon() as d:
        d.make_job("j", job())
        body = ndjson(records(0))
        assert post(d, "k", body).status == 202
        for again in (post(d, "k", records(1)), post(d, "k", body + b"\n"),
                post(d, "k", body, "?reset_start=%d&reset_end=%d" % (T0,
                    T0 + 3600)),
                d.try_post("j", gzip.compress(body), headers=keyed("k",
                    **{"Content-Encoding": "gzip"}))):
            expect_error(again, 422, "illegal_argument_exception",
                "the Idempotency-Key was used for an upload with another "
                "body or other parameters; use a new key for each new upload")
        assert counted(d) == 60


def test_a_key_has_a_form():
    with Daemon() as d:
        d.make_job("j", job())
        for bad in ("", "x" * 256, "\xe4", "a\tb"):
            expect_error(post(d, bad, records(0)), 400,
                "illegal_argument_exception", "the header [Idempotency-Key] "
                "must have 1 to 255 printable ASCII characters")
        body = ndjson(records(0))
        twice = d.raw(b"POST /_ml/anomaly_detectors/j/_data HTTP/1.1\r\n"
            b"Host: localhost\r\nContent-Type: application/json\r\n"
            b"Idempotency-Key: a\r\nidempotency-key: a\r\n"
            b"Connection: close\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert twice.startswith(b"HTTP/1.1 400"), twice
        assert b"may be given only once" in twice, twice
        assert counted(d) == 0
        assert post(d, "x" * 255, body).status == 202
        assert post(d, "a b~!", records(60)).status == 202


def test_large_bodies_which_become_segments_are_repeats_as_well():
    with Daemon() as d:
        d.make_job("j", job())
        body = ndjson(records(0, 40000))
        assert len(body) > 1 << 20
        first = post(d, "big", body)
        assert first.status == 202, first
        same(first, post(d, "big", body))
        assert post(d, "big", body[:-2] + b" \n").status == 422
        packed = keyed("packed", **{"Content-Encoding": "gzip"})
        first = d.try_post("j", gzip.compress(body, mtime=0), headers=packed)
        same(first, d.try_post("j", gzip.compress(body, mtime=0),
            headers=packed))


def test_answers_survive_close_death_of_the_worker_and_of_the_daemon():
    with Daemon() as d:
        d.make_job("j", job())
        first = post(d, "k", records(0))
        failed = post(d, "bad", b'{"time": 1')
        d.close_job("j")
        d.open_job("j")
        same(first, post(d, "k", records(0)))
        same(failed, post(d, "bad", b'{"time": 1'))
        d.kill()
        d.start()
        same(first, post(d, "k", records(0)))
        same(failed, post(d, "bad", b'{"time": 1'))
        assert counted(d) == 60


def test_replay_gives_the_answer_again_when_results_are_lost():
    with Daemon() as d:
        d.make_job("j", job())
        first = post(d, "k", records(0))
        failed = post(d, "bad", b'{"time": 1')
        d.kill()
        directory = os.path.join(d.state_dir, "jobs", os.listdir(
            os.path.join(d.state_dir, "jobs"))[0], "results")
        for name in os.listdir(directory):
            os.unlink(os.path.join(directory, name))
        d.start()
        same(first, post(d, "k", records(0)))
        same(failed, post(d, "bad", b'{"time": 1'))
        assert counted(d) == 60


def test_a_duplicate_in_flight_waits_for_the_first():
    with Daemon() as d:
        d.make_job("j", job())
        body = ndjson(records(0, 2000))
        pid = d.worker_pid("j")
        answers = []
        def one():
            answers.append(post(d, "k", body))
        os.kill(pid, signal.SIGSTOP)
        try:
            threads = [threading.Thread(target=one) for _ in range(8)]
            for t in threads:
                t.start()
        finally:
            os.kill(pid, signal.SIGCONT)
        for t in threads:
            t.join()
        assert len(answers) == 8
        assert {(a.status, a.body) for a in answers} == {(202,
            answers[0].body)}, answers
        assert sum(REPLAYED in a.headers for a in answers) == 7, answers
        assert counted(d) == 2000


def test_a_first_one_that_is_dropped_before_its_seal_counts_for_nothing():
    with Daemon() as d:
        d.make_job("j", job())
        body = ndjson(records(0))
        with d.socket() as s:
            s.sendall(b"POST /_ml/anomaly_detectors/j/_data HTTP/1.1\r\n"
                b"Host: localhost\r\nContent-Type: application/json\r\n"
                b"Idempotency-Key: k\r\nContent-Length: %d\r\n\r\n"
                % len(body) + body[:100])
            second = post(d, "k", body)
            assert second.status == 202 and REPLAYED not in second.headers
        assert counted(d) == 60


def test_what_was_not_kept_is_no_answer():
    with Daemon() as d:
        d.make_job("j", job())
        bad = d.try_post("j", b"no gzip at all", headers=keyed("k",
            **{"Content-Encoding": "gzip"}))
        assert bad.status == 400, bad
        again = post(d, "k", records(0))
        assert again.status == 202 and REPLAYED not in again.headers, again


def test_a_reset_job_knows_no_answers():
    with Daemon() as d:
        d.make_job("j", job())
        assert post(d, "k", records(0)).status == 202
        d.close_job("j")
        expect(200, d.request("POST", ML + "/anomaly_detectors/j/_reset"))
        d.open_job("j")
        again = post(d, "k", records(0))
        assert again.status == 202 and REPLAYED not in again.headers, again
        assert counted(d) == 60


def test_a_key_belongs_to_who_sent_it():
    with secure.SecureDaemon() as d:
        d.make_job("j", job())
        d.put_user("ann")
        d.put_user("bob")
        def as_user(name):
            return d.try_post("j", records(0), headers=keyed("k",
                **secure.basic(name, "long enough")))
        first = as_user("ann")
        assert first.status == 202, first
        other = as_user("bob")
        assert other.status == 202 and REPLAYED not in other.headers, other
        same(first, as_user("ann"))


def test_a_damaged_answer_is_not_taken_for_a_new_upload():
    with Daemon() as d:
        d.make_job("j", job())
        assert post(d, "k", records(0)).status == 202
        d.close_job("j")
        directory = os.path.join(d.state_dir, "jobs", os.listdir(
            os.path.join(d.state_dir, "jobs"))[0], "results")
        db = sqlite3.connect(os.path.join(directory, "results.db"))
        with db:
            db.execute("UPDATE answer SET receipt_ms = receipt_ms + 1")
        db.close()
        d.open_job("j")
        again = post(d, "k", records(0))
        assert again.status == 503 and "cannot be read" in again.error[
            "reason"], again
        assert counted(d) == 60


def segments(d):
    """Of the one job, the oldest first."""
    jobs = os.path.join(d.state_dir, "jobs")
    journal = os.path.join(jobs, os.listdir(jobs)[0], "journal")
    return [os.path.join(journal, f) for f in sorted(os.listdir(journal))]


def start_again(d):
    d.start()
    wait_until(lambda: d.stats("j")["state"] == "opened", 20, "the replay")


def test_what_a_loss_of_power_took_can_be_sent_again():
    with Daemon(journal_sync="interval") as d:
        d.make_job("j", job())
        for i in range(3):
            assert post(d, str(i), records(60 * i)).status == 202
        d.kill()
        last = segments(d)[-1]
        os.truncate(last, os.path.getsize(last) - 100)
        start_again(d)
        assert counted(d) == 120
        assert post(d, "1", records(60)).headers.get(REPLAYED) == "true"
        again = post(d, "2", records(120))
        assert again.status == 202 and REPLAYED not in again.headers, again
        assert counted(d) == 180
        same(again, post(d, "2", records(120)))


def test_what_is_damaged_in_the_journal_can_be_sent_again():
    with Daemon() as d:
        d.make_job("j", job())
        assert post(d, "0", records(0)).status == 202
        assert post(d, "1", records(60)).status == 202
        os.kill(d.worker_pid("j"), signal.SIGKILL)
        assert post(d, "2", records(120)).status == 202
        d.kill()
        first, _ = segments(d)
        with open(first, "r+b") as f:
            f.seek(-50, os.SEEK_END)
            byte = f.read(1)
            f.seek(-50, os.SEEK_END)
            f.write(bytes([byte[0] ^ 1]))
        start_again(d)
        assert counted(d) == 120
        again = post(d, "1", records(60))
        assert again.status == 202 and REPLAYED not in again.headers, again
        assert d.stats("j")["data_counts"]["input_record_count"] == 180
        assert post(d, "2", records(120)).headers.get(REPLAYED) == "true"


def test_a_damaged_page_of_the_answers_is_salvaged():
    with Daemon() as d:
        d.make_job("j", job())
        first = post(d, "0", records(0))
        d.close_job("j")
        jobs = os.path.join(d.state_dir, "jobs")
        path = os.path.join(jobs, os.listdir(jobs)[0], "results", "results.db")
        db = sqlite3.connect("file:%s?immutable=1" % path, uri=True)
        page, = db.execute("SELECT rootpage FROM sqlite_master WHERE name ="
            " 'answer_by_key'").fetchone()
        size, = db.execute("PRAGMA page_size").fetchone()
        db.close()
        with open(path, "r+b") as f:
            f.seek(page * size - 40)
            byte = f.read(1)
            f.seek(page * size - 40)
            f.write(bytes([byte[0] ^ 1]))
        d.open_job("j")
        again = post(d, "0", records(0))
        assert again.status == 503 and "cannot be read" in again.error[
            "reason"], again
        wait_until(lambda: "rows kept" in d.log(), 20, "the salvage")
        same(first, post(d, "0", records(0)))
        assert post(d, "1", records(60)).status == 202
        assert counted(d) == 120
