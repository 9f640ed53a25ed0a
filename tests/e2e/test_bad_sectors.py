"""A disk that cannot read a page of a job's files: the file and the place are
named, what is older is used where that loses nothing, and else the job fails
and waits for whoever puts the disk in order."""

from harness import *
from test_damage import logical, records, results
from test_quarantine import crashing, files, job_dir

PAGE = os.sysconf("SC_PAGESIZE")
FILE_BYTES = 1 << 20    # more than is held in memory before it is a file


def bad_sector(d, path, at):
    with open(os.path.join(job_dir(d, "j"), "bad-sector"), "w") as f:
        f.write("%s %d\n" % (path, at))


def good_again(d):
    os.unlink(os.path.join(job_dir(d, "j"), "bad-sector"))


def wait_failed(d):
    wait_until(lambda: d.stats("j")["state"] == "failed", 30, "a failed job")
    return d.stats("j")["assignment_explanation"]


def open_refused(d):
    answer = d.request("POST", ML + "/anomaly_detectors/j/_open", seconds=30)
    assert answer.status == 500, answer
    reason = answer.error["reason"]
    assert "cannot be read or written; the log names it" in reason, reason
    assert "RECOVERY in anomd(8) the cure" in reason, reason
    assert d.stats("j")["state"] in ("closed", "failed"), d.stats("j")


def snapshots(d):
    return ["snapshots/" + name for name in files(d, "j", "snapshots")
        if name.endswith(".snap")]


def lives(d, n):
    """So many times opened, fed and closed: each leaves a snapshot."""
    d.put_job("j", job())
    body = records().splitlines(True)
    for i in range(n):
        d.open_job("j")
        d.post("j", b"".join(body[i * 100:(i + 1) * 100]))
        d.close_job("j")


def start_of_life(d, n):
    """The state and results that so many lives leave."""
    lives(d, n)
    return d.stats("j")["data_counts"], logical(results(d))


def without_wall(counts):
    return {k: v for k, v in counts.items() if k not in ("log_time",
        "last_data_time")}


def test_an_older_snapshot_and_the_journal_take_the_place_of_one():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        counts, want = start_of_life(d, 3)
        unread = snapshots(d)[-1]
        bad_sector(d, unread, 0)
        d.open_job("j")
        assert "%s: cannot be read at byte 0: Input/output error" % unread \
            in d.log(), d.log()
        assert unread not in snapshots(d)
        assert len(files(d, "j", "quarantine")) == 1
        good_again(d)
        assert without_wall(d.stats("j")["data_counts"]) == \
            without_wall(counts)
        d.close_job("j")
        assert logical(results(d)) == want


def test_the_whole_journal_takes_the_place_of_the_only_snapshot():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        counts, want = start_of_life(d, 1)
        unread, = snapshots(d)
        bad_sector(d, unread, 0)
        d.open_job("j")
        assert snapshots(d) == []
        good_again(d)
        assert without_wall(d.stats("j")["data_counts"]) == \
            without_wall(counts)
        d.close_job("j")
        assert logical(results(d)) == want


def test_a_job_whose_models_would_be_lost_fails_and_keeps_its_files():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        counts, want = start_of_life(d, 4)
        names = snapshots(d)
        # One cannot be read, and those before it have gone.
        for name in names[:-1]:
            os.rename(os.path.join(job_dir(d, "j"), name),
                os.path.join(job_dir(d, "j"), name + ".away"))
        bad_sector(d, names[-1], 0)
        open_refused(d)
        assert snapshots(d) == names[-1:]
        assert files(d, "j", "quarantine") == []
        assert "the journal does not go back to the beginning" in d.log()
        good_again(d)
        d.open_job("j")
        assert without_wall(d.stats("j")["data_counts"]) == \
            without_wall(counts)
        d.close_job("j")
        assert logical(results(d)) == want


def test_a_segment_that_cannot_be_read_fails_the_job_and_is_kept():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        d.post("j", records(6000))
        counts = d.stats("j")["data_counts"]
        segment, = files(d, "j", "journal")
        path = os.path.join(job_dir(d, "j"), "journal", segment)
        with open(path, "rb") as f:
            before = f.read()
        bad_sector(d, "journal/" + segment, PAGE)
        os.kill(d.worker_pid("j"), signal.SIGKILL)
        why = wait_failed(d)
        assert "cannot be read or written; the log names it" in why, why
        assert "journal/%s: cannot be read at byte %d: Input/output error" \
            % (segment, PAGE) in d.log(), d.log()
        # It is not tried again and again.
        assert d.log().count("cannot be read at byte") == 1, d.log()
        with open(path, "rb") as f:
            assert f.read() == before
        open_refused(d)
        good_again(d)
        d.open_job("j")
        assert without_wall(d.stats("j")["data_counts"]) == \
            without_wall(counts)


def test_an_upload_in_hand_that_cannot_be_read_is_not_its_own_fault():
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        body = b"".join(b'{"time":%d,"v":1}\n' % (T0 + i)
            for i in range(FILE_BYTES // 20))
        assert len(body) > FILE_BYTES
        # What it is in the journal can be read, so the next worker does it.
        bad_sector(d, "spool/*.spool", len(body) // 2)
        check_counts(expect(202, d.request("POST",
            ML + "/anomaly_detectors/j/_data", body,
            {"Content-Type": "application/x-ndjson"}, seconds=60)),
            input_record_count=body.count(b"\n"))
        assert "the upload in hand: cannot be read at byte %d: " % (
            len(body) // 2 // PAGE * PAGE) in d.log(), d.log()
        recovery = d.stats("j")["recovery"]
        assert recovery["restarts"] == 1, recovery
        assert "exited with status 1" in recovery["last_death"], recovery
        assert files(d, "j", "quarantine") == []
        good_again(d)
