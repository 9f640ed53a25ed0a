"""anomctl backup and restore, with the real daemon and while it is at work."""

import threading

from ctltool import *
from harness import *

ML_JOBS = ML + "/anomaly_detectors"


def records(first, n):
    """Minutes of a day, with a value that is now and then far out."""
    return [{"time": 1700006400 + i * 60, "v": 500.0 if i % 997 == 500
        else 10.0 + (i * 7919 % 13)} for i in range(first, first + n)]


def rows(d, job_id, kind):
    """Final results, without names and what the clock has a say in."""
    got = d.results(job_id, kind, "?size=10000&exclude_interim=true")[kind]
    return without(got, ("processing_time_ms", "job_id"))


def without(value, keys):
    if isinstance(value, list):
        return [without(v, keys) for v in value]
    if isinstance(value, dict):
        return {k: without(v, keys) for k, v in value.items()
            if k not in keys}
    return value


def first_difference(have, want):
    return [pair for pair in zip(have, want) if pair[0] != pair[1]][:1] or (
        len(have), len(want))


def backup(state_dir, directory):
    return ctl(None, "backup", "-s", state_dir, directory)


def restore(directory, *more):
    return ctl(None, "restore", directory, *more)


def count(d, job_id):
    return d.stats(job_id)["data_counts"]["processed_record_count"]


@timeout(180)
def test_what_was_restored_goes_on_as_the_original_does():
    with tempfile.TemporaryDirectory() as temp:
        copy, state = os.path.join(temp, "copy"), os.path.join(temp, "state")
        with Daemon() as d:
            for job_id in ("open", "closed", "empty"):
                d.put_job(job_id, job("5m"))
            for job_id in ("open", "closed"):
                d.open_job(job_id)
                d.post(job_id, records(0, 3000))
            d.close_job("closed")
            done = backup(d.state_dir, copy)
            assert done.ok() == "" and "files" in done.err, done
            restore(copy, state).ok()
            with Daemon(state_dir=state) as e:
                for job_id in ("open", "closed"):
                    assert count(e, job_id) == 3000
                    for kind in ("buckets", "records"):
                        want = rows(d, job_id, kind)
                        assert want and rows(e, job_id, kind) == want
                assert e.stats("open")["state"] == "opened"
                assert e.stats("closed")["state"] == "closed"
                for each in (d, e):
                    each.open_job("closed")
                    each.open_job("empty")
                    for job_id in ("open", "closed", "empty"):
                        each.post(job_id, records(3000, 2000))
                        each.flush(job_id, "?calc_interim=false")
                for job_id in ("open", "closed", "empty"):
                    for kind in ("buckets", "records"):
                        assert rows(e, job_id, kind) == rows(d, job_id, kind)


class Posting(threading.Thread):
    """Posts to one job, and knows what was acknowledged when."""

    def __init__(self, d, job_id, stop):
        super().__init__()
        self.d, self.job_id, self.stop = d, job_id, stop
        self.acknowledged = 0
        self.failure = None

    def run(self):
        try:
            while not self.stop.is_set():
                self.d.post(self.job_id, records(self.acknowledged, 500))
                self.acknowledged += 500
        except BaseException as e:
            self.failure = e


class Changing(threading.Thread):
    """Makes, closes, opens and deletes jobs."""

    def __init__(self, d, stop):
        super().__init__()
        self.d, self.stop = d, stop
        self.rounds = 0
        self.failure = None

    def run(self):
        try:
            while not self.stop.is_set():
                job_id = "short-%d" % self.rounds
                self.d.make_job(job_id, job("5m"))
                self.d.post(job_id, records(0, 1000))
                self.d.close_job(job_id)
                if self.rounds >= 2:
                    self.d.delete_job("short-%d" % (self.rounds - 2))
                self.rounds += 1
        except BaseException as e:
            self.failure = e


@timeout(300)
def test_a_backup_while_clients_post_and_jobs_come_and_go():
    with tempfile.TemporaryDirectory() as temp, Daemon() as d:
        jobs = ["job-%d" % i for i in range(8)]
        for job_id in jobs:
            d.make_job(job_id, job("5m"))
        stop = threading.Event()
        threads = [Posting(d, job_id, stop) for job_id in jobs]
        threads.append(Changing(d, stop))
        for t in threads:
            t.start()
        try:
            taken = []
            for i in range(3):
                seen = [t.acknowledged for t in threads[:-1]]
                more = threads[-1].rounds
                wait_until(lambda: threads[-1].rounds > more and all(
                    t.acknowledged > n for t, n in zip(threads, seen)) or any(
                    t.failure for t in threads), 60, "progress")
                before = [t.acknowledged for t in threads[:-1]]
                directory = os.path.join(temp, "copy-%d" % i)
                backup(d.state_dir, directory).ok()
                taken.append((directory, before))
        finally:
            stop.set()
            for t in threads:
                t.join()
        assert not any(t.failure for t in threads), [t.failure
            for t in threads]
        for directory, before in taken:
            state = directory + ".state"
            restore(directory, state).ok()
            with Daemon(state_dir=state) as e:
                for job_id, n in zip(jobs, before):
                    got = count(e, job_id)
                    assert got >= n, (job_id, got, n)
                    # Half of an upload is none.
                    assert got % 500 == 0, (job_id, got)
                    # The original has gone on, and gives old results other
                    # scores since: what they were, one shows who gets the
                    # same records.
                    e.make_job("like-" + job_id, job("5m"))
                    for first in range(0, got, 500):
                        e.post("like-" + job_id, records(first, 500))
                    for kind in ("buckets", "records"):
                        have = rows(e, job_id, kind)
                        want = rows(e, "like-" + job_id, kind)
                        assert have == want, first_difference(have, want)
                    e.post(job_id, records(got, 500))
                    assert count(e, job_id) == got + 500
                assert "is missing" not in e.log(), e.log()
                assert "belongs to no job" not in e.log(), e.log()


def stopped_at(state_dir, directory, name):
    """A backup that is stopped while it copies a large file of this name."""
    process = subprocess.Popen([ANOMCTL, "-q", "backup", "-s", state_dir,
        directory], env=environment())
    at = os.path.join(directory, name)
    while process.poll() is None and not os.path.exists(at):
        time.sleep(0.001)
    process.send_signal(signal.SIGSTOP)
    return process


def test_snapshots_that_come_while_those_before_them_are_copied():
    """What the journal has no more is in a snapshot that is copied, too."""
    with Daemon() as d, tempfile.TemporaryDirectory() as temp:
        copy, state = os.path.join(temp, "copy"), os.path.join(temp, "state")
        d.make_job("a", job("5m"))
        posted = 0

        def another_snapshot():
            nonlocal posted
            d.post("a", records(posted, 100))
            posted += 100
            d.close_job("a")
            d.open_job("a")

        for _ in range(3):
            another_snapshot()
        # The copying of it gives the time to be stopped.
        with open(os.path.join(d.state_dir, "jobs", "a.1", "snapshots",
                "large"), "wb") as f:
            f.truncate(256 << 20)
        process = stopped_at(d.state_dir, copy, "jobs/a.1/snapshots/large")
        try:
            assert not os.path.exists(os.path.join(copy, "jobs/a.1/journal"))
            for _ in range(3):
                another_snapshot()
        finally:
            process.send_signal(signal.SIGCONT)
            assert process.wait(60 * PATIENCE) == 0
        restore(copy, state).ok()
        with Daemon(state_dir=state) as e:
            assert count(e, "a") == posted
            assert "are lost" not in e.log(), e.log()
            e.post("a", records(posted, 100))
            assert count(e, "a") == posted + 100


def test_directories_that_are_refused():
    with Daemon() as d, tempfile.TemporaryDirectory() as temp:
        copy = os.path.join(temp, "copy")
        below = os.path.join(d.state_dir, "jobs", "copy")
        backup(d.state_dir, below).failed("is in the state directory")
        assert not os.path.exists(below)
        os.symlink(d.state_dir, os.path.join(temp, "link"))
        backup(d.state_dir, os.path.join(temp, "link", "x")).failed(
            "is in the state directory")
        backup(temp, copy).failed("is no state directory of anomd")
        backup(os.path.join(temp, "absent"), copy).failed("No such file")
        backup(d.state_dir, copy).ok()
        backup(d.state_dir, copy).failed("has a backup already")
        restore(copy, d.state_dir).failed("a daemon uses")
        restore(copy, "--replace", d.state_dir).failed("a daemon uses")
        state = os.path.join(temp, "state")
        restore(copy, state).ok()
        restore(copy, state).failed("is not empty; --replace")
        done = restore(copy, "--replace", state)
        assert "what was there is in" in done.err and done.status == 0, done
        assert len([n for n in os.listdir(temp) if ".before-" in n]) == 1
        os.unlink(os.path.join(copy, "manifest.json"))
        restore(copy, os.path.join(temp, "other")).failed(
            "is no finished backup")
        backup(d.state_dir, copy).failed("has no finished backup")


def test_a_job_that_the_backup_lacks_is_a_failure_of_the_restore():
    with Daemon() as d, tempfile.TemporaryDirectory() as temp:
        copy, state = os.path.join(temp, "copy"), os.path.join(temp, "state")
        d.make_job("a", job())
        d.put_job("b", job())
        os.rename(os.path.join(d.state_dir, "jobs/b.2"),
            os.path.join(d.state_dir, "jobs/away"))
        done = backup(d.state_dir, copy)
        assert done.status == 1 and "job b.2 is left out" in done.err, done
        os.rename(os.path.join(d.state_dir, "jobs/away"),
            os.path.join(d.state_dir, "jobs/b.2"))
        done = restore(copy, state)
        assert done.status == 1, done
        assert "job b.2 was left out of the backup: it has no directory" in (
            done.err), done
        with Daemon(state_dir=state) as e:
            assert e.stats("a")["state"] == "opened"
            e.delete_job("b", query="?force=true")


def test_a_damaged_backup_changes_nothing():
    with Daemon() as d, tempfile.TemporaryDirectory() as temp:
        copy, state = os.path.join(temp, "copy"), os.path.join(temp, "state")
        d.make_job("a", job())
        d.post("a", records(0, 500))
        d.close_job("a")
        backup(d.state_dir, copy).ok()
        files = [os.path.join(at, name) for at, _, names in os.walk(copy)
            for name in names]
        assert len(files) >= 4, files
        for path in files:
            with open(path, "r+b") as f:
                data = f.read()
                f.seek(len(data) // 2)
                f.write(bytes([data[len(data) // 2] ^ 1]))
            done = restore(copy, state)
            assert done.status == 1, (path, done)
            assert os.path.basename(path) in done.err, (path, done)
            assert not os.path.exists(state)
            with open(path, "wb") as f:
                f.write(data)
        restore(copy, state).ok()


def saved(temp, n=500):
    """A stopped daemon's state directory with a job, and a backup of it."""
    state, copy = os.path.join(temp, "state"), os.path.join(temp, "copy")
    with Daemon(state_dir=state) as d:
        d.make_job("a", job())
        d.post("a", records(0, n))
        backup(state, copy).ok()
    return state, copy


def test_what_a_link_leads_to_is_moved_aside_and_not_the_link():
    with tempfile.TemporaryDirectory() as temp:
        state, copy = saved(temp)
        disk, link = os.path.join(temp, "disk"), os.path.join(temp, "link")
        os.mkdir(disk)
        os.rename(state, os.path.join(disk, "state"))
        os.symlink(os.path.join(disk, "state"), link)
        restore(copy, "--replace", link).ok()
        assert os.path.islink(link)
        assert len(os.listdir(disk)) == 2, os.listdir(disk)
        assert len(os.listdir(temp)) == 3, os.listdir(temp)
        with Daemon(state_dir=link) as e:
            assert count(e, "a") == 500


def test_a_restore_that_fails_leaves_what_was_there():
    with tempfile.TemporaryDirectory() as temp:
        state, copy = saved(temp)
        before = sorted(os.listdir(state))
        # No file may have more than these bytes.
        done = subprocess.run(["prlimit", "--fsize=50000", "sh", "-c",
            "trap '' XFSZ; exec \"$@\"", "sh", ANOMCTL, "restore",
            "--replace", copy, state], env=environment(), text=True,
            stderr=subprocess.PIPE)
        assert done.returncode == 1 and "too large" in done.stderr, done
        assert sorted(os.listdir(temp)) == ["copy", "state"]
        assert sorted(os.listdir(state)) == before
        # The same when it is cut off and cannot clear away.
        subprocess.run(["prlimit", "--fsize=50000", ANOMCTL, "restore",
            "--replace", copy, state], env=environment())
        assert "restore.new" in os.listdir(state), os.listdir(state)
        with Daemon(state_dir=state) as e:
            assert count(e, "a") == 500
        restore(copy, "--replace", state).ok()
        assert "restore.new" not in os.listdir(state)


def test_a_half_restored_directory_is_not_taken_for_a_new_one():
    with tempfile.TemporaryDirectory() as temp:
        state, copy = saved(temp)
        other = os.path.join(temp, "other")
        restore(copy, other).ok()
        # As it is when the last of the renames has not come.
        os.mkdir(os.path.join(other, "restore.new"))
        os.rename(os.path.join(other, "catalog.db"),
            os.path.join(other, "restore.new", "catalog.db"))
        d = Daemon(state_dir=other)
        try:
            d.start(wait=False)
            assert d.wait() == 1
            assert "was not finished: do it again" in d.log(), d.log()
        finally:
            d.kill()
        restore(copy, "--replace", other).ok()
        with Daemon(state_dir=other) as e:
            assert count(e, "a") == 500
