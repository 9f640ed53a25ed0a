"""A disk that is full in the middle of everything.

The state directory is a small tmpfs. Nothing that was acknowledged is lost,
what makes room works, and intake goes on by itself.
"""

import contextlib
import errno
import tempfile
import threading

from harness import *

MB = 1 << 20
FULL = "the file system of the state directory is full"


@contextlib.contextmanager
def small_disk(mb):
    """A directory that is a file system of its own."""
    if os.geteuid() != 0:
        raise Skip("only root can mount a small file system")
    path = tempfile.mkdtemp(prefix="anomd-disk-")
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%dm" % mb,
        "tmpfs", path], stderr=subprocess.PIPE, text=True)
    if made.returncode != 0:
        os.rmdir(path)
        raise Skip("no tmpfs can be mounted here: " + made.stderr.strip())
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", path], check=True)
        os.rmdir(path)


class Filler:
    """A file of somebody else's that takes up what is left of a disk."""

    def __init__(self, directory):
        self.directory = directory
        self.path = os.path.join(directory, "somebody-elses")

    def free(self):
        v = os.statvfs(self.directory)
        return v.f_bavail * v.f_frsize

    def leave(self, left):
        """Take up so much that only left bytes are free."""
        with open(self.path, "ab") as f:
            size = os.fstat(f.fileno()).st_size
            more = self.free() - left
            if more > 0:
                os.posix_fallocate(f.fileno(), size, more)

    def fill(self):
        """Until nothing is left, even if something is given up meanwhile."""
        with open(self.path, "ab", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError as e:
                assert e.errno == errno.ENOSPC, e

    def remove(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


def disk_daemon(directory, **options):
    options = dict({"min_free_size": "8mb", "reserve_size": "8mb"}, **options)
    return Daemon(state_dir=os.path.join(directory, "state"), **options)


def reserve_bytes(d):
    return os.path.getsize(os.path.join(d.state_dir, "reserve"))


def refused(d, job_id="j"):
    """Wait until uploads are refused for want of room; returns the answer."""
    return wait_until(lambda: (lambda r: r if r.status == 503 and
        FULL in r.error["reason"] else None)(d.try_post(job_id, [])), 20,
        "uploads to be refused")


def taken(d, job_id="j"):
    wait_until(lambda: d.try_post(job_id, []).status == 202, 60,
        "uploads to be taken again")


def test_intake_rests_at_the_low_water_mark_and_resumes():
    with small_disk(64) as disk, disk_daemon(disk) as d:
        other = Filler(disk)
        d.make_job("j", job())
        d.post("j", [at(i, v=i) for i in range(100)])
        assert reserve_bytes(d) == 8 * MB
        other.leave(4 * MB)
        r = refused(d)
        assert r.headers["retry-after"] == "10", r.headers
        assert "min_free_size (8 MB)" in r.error["reason"], r.error
        assert "Delete jobs" in r.error["reason"], r.error
        # All else goes on.
        assert reserve_bytes(d) == 8 * MB
        d.flush("j", "?calc_interim=true")
        d.close_job("j")
        d.open_job("j")
        other.remove()
        taken(d)
        d.post("j", [at(200 + i, v=i) for i in range(100)])
        check_counts(d.stats("j")["data_counts"], processed_record_count=200)
        assert "no data is taken in" in d.log()
        assert "data is taken in again" in d.log()


def test_reserve_is_given_up_and_taken_back():
    with small_disk(64) as disk, disk_daemon(disk) as d:
        other = Filler(disk)
        d.make_job("j", job())
        other.leave(256 * 1024)
        refused(d)
        wait_until(lambda: reserve_bytes(d) == 1 * MB, 10, "a smaller reserve")
        assert other.free() > 6 * MB
        d.close_job("j")
        expect_error(d.request("PUT", ML + "/anomaly_detectors/k", job()), 503,
            "status_exception",
            "job [k] cannot be created: no space left on the disk")
        other.remove()
        wait_until(lambda: reserve_bytes(d) == 8 * MB, 10, "the whole reserve")
        d.open_job("j")
        taken(d)
        d.make_job("k", job())


def test_daemon_starts_and_deletes_on_a_full_disk():
    with small_disk(64) as disk, disk_daemon(disk) as d:
        other = Filler(disk)
        for name in ("j", "gone"):
            d.make_job(name, job())
            d.post(name, [at(i, v=i) for i in range(1000)])
        d.kill()
        other.fill()
        assert other.free() == 0
        d.start()
        wait_until(lambda: d.stats("j")["state"] == "opened", 30, "open")
        check_counts(d.stats("j")["data_counts"], processed_record_count=1000)
        refused(d)
        # Even when somebody takes the room that was given up.
        other.fill()
        d.delete_job("gone", query="?force=true")
        assert d.get(ML + "/anomaly_detectors/gone").status == 404
        d.close_job("j")
        other.remove()
        d.open_job("j")
        taken(d)
        check_counts(d.stats("j")["data_counts"], processed_record_count=1000)


@timeout(240)
def test_nothing_acknowledged_is_lost_on_a_full_disk():
    """Posts of all sizes run into the end of the disk, and a kill comes."""
    with small_disk(96) as disk, disk_daemon(disk,
            max_restart_delay="1s") as d:
        other = Filler(disk)
        names = ["a", "b", "c"]
        kept = {name: 0 for name in names}
        maybe = {name: 0 for name in names}
        stop = threading.Event()
        for name in names:
            d.make_job(name, job("1m"))

        def run(name, sizes):
            n = 0
            while not stop.is_set():
                size = sizes[n % len(sizes)]
                body = [at(n, v=i, pad="x" * 40) for i in range(size)]
                n += 1
                try:
                    r = d.try_post(name, body)
                except OSError:
                    maybe[name] += size
                    continue
                if r.status == 202:
                    kept[name] += size
                else:
                    assert r.status == 503, r

        threads = [threading.Thread(target=run, args=a) for a in
            (("a", [1, 10]), ("b", [300, 3000]), ("c", [20000, 7]))]
        for t in threads:
            t.start()
        try:
            wait_until(lambda: all(kept.values()), 60, "posts")
            other.leave(10 * MB)
            wait_until(lambda: d.try_post("a", []).status == 503, 60, "full")
            other.fill()
            d.flush("a", "?calc_interim=true")
            time.sleep(2)
            other.remove()
            taken(d, "a")
        finally:
            stop.set()
            for t in threads:
                t.join()
        other.fill()
        d.kill()
        d.start()
        for name in names:
            wait_until(lambda: d.stats(name)["state"] == "opened", 60, "open")
            got = d.stats(name)["data_counts"]["processed_record_count"]
            assert kept[name] <= got <= kept[name] + maybe[name], (
                name, kept, maybe, got)
        other.remove()
        taken(d, "c")
