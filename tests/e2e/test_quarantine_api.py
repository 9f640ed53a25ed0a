"""Entries that were put aside are listed, posted again and dropped.

Workers that die of one record put entries aside (test_quarantine.py); the
plain worker, which another start of the daemon has, can take them.
"""

from ctltool import ctl
from harness import *
from test_quarantine import crashing, deadly, files, job_dir, wait_open

JOBS = ML + "/anomaly_detectors"


def quarantine(d, job_id="j", query=""):
    return expect(200, d.get("%s/%s/_quarantine%s" % (JOBS, job_id, query)))


def posting(entry, job_id="j"):
    return "POST", "%s/%s/_quarantine/%s/_post" % (JOBS, job_id, entry)


def dropping(entry, job_id="j"):
    return "DELETE", "%s/%s/_quarantine/%s" % (JOBS, job_id, entry)


def post_again(d, *which):
    return d.request(*posting(*which), seconds=60)


def drop(d, *which):
    return d.request(*dropping(*which))


def put_aside(d, records=None, headers=None):
    """Post what kills; returns the number of its entry."""
    r = d.try_post("j", records or [at(20, v=1)] + deadly(), headers=headers)
    assert r.status == 500 and "is kept as entry" in r.error["reason"], r
    return int(re.search(r"as entry (\d+) of", r.error["reason"]).group(1))


def with_plain_workers(d):
    """Start it again, with workers that die of nothing."""
    d.stop()
    d.options["libexec_dir"] = BUILD
    d.start()
    wait_open(d, "j")


def entries(d):
    return [e["entry"] for e in quarantine(d)["entries"]]


def count(d):
    return d.stats("j")["data_counts"]["processed_record_count"]


def test_entries_are_listed_of_open_and_of_closed_jobs():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        assert quarantine(d) == {"count": 0, "entries": []}
        n = put_aside(d)
        shown = quarantine(d)
        assert shown["count"] == 1, shown
        entry, = shown["entries"]
        assert entry["entry"] == n and entry["type"] == "upload", entry
        assert entry["bytes"] == len(ndjson([at(20, v=1)] + deadly())), entry
        assert "signal 6" in entry["reason"], entry
        assert entry["receipt_time"] <= entry["time"], entry
        d.close_job("j")
        assert quarantine(d) == shown
        d.restart()
        assert quarantine(d) == shown
        # What was found damaged is told of, too.
        with open(os.path.join(job_dir(d, "j"), "quarantine/journal-7"),
                "w") as f:
            f.write("x" * 11)
        assert quarantine(d)["count"] == 2
        damaged = quarantine(d)["entries"][1]
        assert damaged["file"] == "journal-7", damaged
        assert damaged["type"] == "damaged" and damaged["bytes"] == 11, damaged
        assert "entry" not in damaged, damaged
        assert quarantine(d, query="?filter_path=entries.entry") == {
            "entries": [{"entry": n}]}
        assert d.get(JOBS + "/absent/_quarantine").status == 404


def test_entry_that_is_posted_again_counts_once():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        d.post("j", [at(i, v=i) for i in range(10)])
        n = put_aside(d)
        with_plain_workers(d)
        assert count(d) == 10
        got = expect(202, post_again(d, n))
        check_counts(got, processed_record_count=2, job_id="j",
            input_bytes=len(ndjson([at(20, v=1)] + deadly())))
        assert count(d) == 12
        assert entries(d) == [] and files(d, "j", "quarantine") == []
        assert "quarantine" not in d.stats("j"), d.stats("j")
        assert post_again(d, n).status == 404
        # It is in the journal now, and nowhere else.
        d.kill()
        d.start()
        wait_open(d, "j")
        assert count(d) == 12 and entries(d) == []
        d.close_job("j")
        d.open_job("j")
        assert count(d) == 12 and entries(d) == []


def test_large_entry_is_posted_again():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        n = put_aside(d, [at(i, v=i, pad="x" * 200) for i in range(20000)] +
            deadly())
        with_plain_workers(d)
        check_counts(expect(202, post_again(d, n)),
            processed_record_count=20001)
        d.kill()
        d.start()
        wait_open(d, "j")
        assert count(d) == 20001 and entries(d) == []


def test_entry_that_kills_again_comes_back_with_another_number():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        n = put_aside(d)
        d.post("j", [at(30, v=1)])
        r = post_again(d, n)
        assert r.status == 500 and "died twice" in r.error["reason"], r
        again, = entries(d)
        assert again > n, (again, n)
        assert "as entry %d of" % again in r.error["reason"], r
        assert files(d, "j", "quarantine") == ["entry-%d" % again]
        assert count(d) == 1
        assert d.stats("j")["state"] == "opened"
        shown = d.stats("j")["quarantine"]["entries"]
        assert [e["entry"] for e in shown] == [again], shown


def test_dropped_entry_is_gone_and_the_log_says_who():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        n = put_aside(d)
        assert expect(200, drop(d, n)) == {"acknowledged": True}
        assert entries(d) == [] and files(d, "j", "quarantine") == []
        assert "quarantine" not in d.stats("j")
        assert re.search(r"audit: .*action=\S*job/quarantine/drop job=j "
            r"item=%d .*status=200" % n, d.log()), d.log()
        assert drop(d, n).status == 404
        check_counts(d.post("j", [at(30, v=1)]), processed_record_count=1)
        assert count(d) == 1


def test_what_cannot_be_is_refused_and_says_the_cure():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        n = put_aside(d)
        for word in ("x", "0", "-1", "1x", "99999999999999999999999", "%20"):
            for r in (post_again(d, word), drop(d, word)):
                assert r.status == 400 and "its number" in \
                    r.error["reason"], (word, r)
        for r in (post_again(d, n + 1), drop(d, n + 1)):
            expect_error(r, 404, "resource_not_found_exception",
                "there is no entry [%d] in the quarantine of job [j]" %
                (n + 1))
        assert post_again(d, n, "absent").status == 404
        d.close_job("j")
        for r in (post_again(d, n), drop(d, n)):
            assert r.status == 409, r
            assert "open it first" in r.error["reason"], r
        d.open_job("j")
        # Half of its file is no upload.
        path = os.path.join(job_dir(d, "j"), "quarantine/entry-%d" % n)
        with open(path, "rb") as f:
            whole = f.read()
        for damaged in (whole[:-1], whole[:-1] + b"?", whole[:40], b""):
            with open(path, "wb") as f:
                f.write(damaged)
            r = post_again(d, n)
            assert r.status == 500 and "damaged" in r.error["reason"], r
            assert entries(d) == [n]
        assert count(d) == 0
        assert expect(200, drop(d, n)) == {"acknowledged": True}


def test_client_that_has_posted_it_again_itself_is_not_counted_twice():
    """The entry keeps the key that its upload had."""
    key = {"Idempotency-Key": "k1", "Content-Type": "application/json"}
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        n = put_aside(d, headers=key)
        with_plain_workers(d)
        body = [at(20, v=1)] + deadly()
        check_counts(d.post("j", body, headers=key),
            processed_record_count=2)
        r = post_again(d, n)
        check_counts(expect(202, r), processed_record_count=2)
        assert r.headers["idempotent-replayed"] == "true", r.headers
        assert count(d) == 2
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        n = put_aside(d, headers=key)
        with_plain_workers(d)
        check_counts(expect(202, post_again(d, n)), processed_record_count=2)
        r = d.try_post("j", body, headers=key)
        check_counts(expect(202, r), processed_record_count=2)
        assert r.headers["idempotent-replayed"] == "true", r.headers
        assert count(d) == 2


def test_worker_that_dies_meanwhile_is_followed_by_one_that_answers():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        n = put_aside(d)
        m = put_aside(d, [at(40, v=2)] + deadly())
        with_plain_workers(d)
        pid = d.worker_pid("j")
        os.kill(pid, signal.SIGSTOP)
        posted = d.ask(*posting(n))
        dropped = d.ask(*dropping(m))
        os.kill(pid, signal.SIGKILL)
        check_counts(expect(202, posted.answer()), processed_record_count=2)
        assert expect(200, dropped.answer()) == {"acknowledged": True}
        assert count(d) == 2 and entries(d) == []


def test_anomctl_lists_posts_and_drops():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        n = put_aside(d)
        m = put_aside(d, [at(40, v=2)] + deadly())
        with_plain_workers(d)
        url = "http://127.0.0.1:%d" % d.port
        lines = ctl(url, "quarantine", "list", "j").ok().split("\n")
        assert lines[0].split()[:3] == ["ENTRY", "TYPE", "BYTES"], lines
        assert [line.split()[:2] for line in lines[1:-1]] == [
            [str(n), "upload"], [str(m), "upload"]], lines
        assert "signal 6" in ctl(url, "quarantine", "show", "j",
            str(m)).ok()
        done = ctl(url, "quarantine", "post", "j", str(n))
        assert done.ok() == "" and "posted again" in done.err, done
        done = ctl(url, "quarantine", "drop", "j", str(m))
        assert done.ok() == "" and "is dropped" in done.err, done
        ctl(url, "quarantine", "drop", "j", str(m)).failed(
            "there is no entry [%d]" % m)
        assert count(d) == 2 and entries(d) == []


def test_a_backup_keeps_what_was_put_aside():
    with tempfile.TemporaryDirectory() as temp, crashing() as where, \
            Daemon(libexec_dir=where) as d:
        copy, state = os.path.join(temp, "copy"), os.path.join(temp, "state")
        d.make_job("j", job())
        put_aside(d)
        shown = quarantine(d)
        assert shown["count"] == 1, shown
        ctl(None, "backup", "-s", d.state_dir, copy).ok()
        ctl(None, "restore", copy, state).ok()
        with Daemon(state_dir=state, libexec_dir=where) as e:
            # Replay passes it over at once: it kills nobody here.
            wait_open(e, "j")
            assert quarantine(e) == shown
            assert count(e) == count(d)
            assert "RECOVERING" not in e.log(), e.log()
