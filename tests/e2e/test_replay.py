"""What is seen of a replay, and of those who wait for its end.

The worker is the real one, slow at every record while a file says so, and
dead at one: see tests/crashing_worker.c.
"""

import contextlib
import select

from harness import *
from test_crash_loops import flag, set_flag
from test_life import frozen
from test_quarantine import crashing, deadly

LINE_MAX = 100      # what waits in one job
POSTS = 400         # slow, they take 20 s: the file goes long before
REPLAYING = re.compile(r"STATUS=Serving: 2 jobs, 1 open, 0 failed; "
    r"replaying 1 of 2 jobs, (\d+)%$")


# ---- a full line

def ask(d, records):
    """The request is sent, and nothing of its answer is read."""
    body = ndjson(records)
    s = d.socket(60)
    s.sendall(b"POST %s/anomaly_detectors/j/_data HTTP/1.1\r\n"
        b"Host: localhost\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (ML.encode(), len(body), body))
    return s


def answered(asked):
    """Those of the connections that have an answer to be read."""
    return select.select(asked, [], [], 0)[0]


def answer(s):
    head, body = read_all(s).split(b"\r\n\r\n", 1)
    return int(head.split()[1]), head.decode(), json.loads(body)


@contextlib.contextmanager
def full_line(d, posts):
    """One more than fit were sent; yields those that wait in the line."""
    assert len(posts) == LINE_MAX + 1
    with contextlib.ExitStack() as stack:
        asked = []
        with frozen(d.worker_pid("j")):
            for records in posts:
                asked.append(stack.enter_context(ask(d, records)))
            late, = wait_until(lambda: answered(asked), 20, "a refusal")
            status, head, _ = answer(late)
            assert status == 429 and "Retry-After: 1\r\n" in head, head
            asked.remove(late)
            assert not answered(asked)
            yield asked


def one_each(n):
    """Records of one bucket, in which no order is wrong."""
    return [[at(i, v=i)] for i in range(n)]


def check_total(d, n):
    check_counts(d.stats("j")["data_counts"], processed_record_count=n,
        input_record_count=n, out_of_order_timestamp_count=0)
    d.flush("j", "?calc_interim=true")
    bucket, = d.results("j", "buckets")["buckets"]
    assert bucket["event_count"] == n, bucket


def test_all_of_a_full_line_are_answered_after_the_worker_died():
    with Daemon() as d:
        d.make_job("j", job())
        with full_line(d, one_each(LINE_MAX + 1)) as waiting:
            os.kill(d.worker_pid("j"), signal.SIGKILL)
            for s in waiting:
                status, _, counts = answer(s)
                assert status == 202, counts
                check_counts(counts, processed_record_count=1,
                    input_record_count=1)
        assert d.stats("j")["recovery"]["restarts"] == 1
        check_total(d, LINE_MAX)
        check_counts(d.post("j", [at(200, v=1)]), processed_record_count=1)


def test_only_what_kills_is_missing_of_a_full_line():
    """Some of it is in the journal already, and read from there."""
    with crashing() as where, Daemon(libexec_dir=where) as d:
        d.make_job("j", job())
        posts = one_each(LINE_MAX + 1)
        posts[LINE_MAX // 2] = deadly()
        with full_line(d, posts) as waiting:
            os.kill(d.worker_pid("j"), signal.SIGCONT)
            answers = [answer(s) for s in waiting]
        taken = [a for a in answers if a[0] == 202]
        assert len(taken) == LINE_MAX - 1, answers
        for _, _, counts in taken:
            check_counts(counts, processed_record_count=1)
        refused, = [a for a in answers if a[0] != 202]
        assert refused[0] == 500, refused
        assert "died twice" in refused[2]["error"]["reason"], refused
        assert d.stats("j")["recovery"]["restarts"] == 2
        assert re.search("entries of the journal done again: [1-9]", d.log())
        check_total(d, LINE_MAX - 1)


# ---- how far it is

def fill_journal(d, job_id):
    """An entry for each post: the journal is synced when it must be."""
    for i in range(POSTS):
        d.post(job_id, [at(i, v=i)])


def restart_busy(d):
    """Start again, without waiting for the jobs."""
    start = len(d.log())
    d.start(wait=False)
    d.port = int(wait_until(lambda: re.findall(
        r"listening on 127\.0\.0\.1:(\d+)", d.log()[start:]), 20,
        "listening")[0])


def replay(d, job_id):
    """What _stats has of it; None: nothing, yet or any more."""
    return d.stats(job_id).get("recovery", {}).get("replay")


def further(d, job_id, than):
    now = replay(d, job_id)
    assert now, "it is over already"
    return now if now["entries"] > than["entries"] else None


def test_progress_of_a_replay_is_in_the_statistics():
    with crashing() as where, Daemon(libexec_dir=where,
            journal_sync="never") as d:
        d.make_job("j", job())
        fill_journal(d, "j")
        assert "recovery" not in d.stats("j")
        set_flag(d, "slow-records")
        os.kill(d.worker_pid("j"), signal.SIGKILL)
        first = wait_until(lambda: replay(d, "j"), 20, "progress")
        later = wait_until(lambda: further(d, "j", first), 20, "more of it")
        stats = d.stats("j")
        assert stats["recovery"]["recovering"] is True, stats
        assert stats["state"] == "opened", stats
        assert 0 < first["entries"] < later["entries"] <= POSTS, later
        assert later["all_bytes"] == first["all_bytes"], later
        assert (0 <= first["done_bytes"] <= later["done_bytes"]
            <= later["all_bytes"]), later
        os.unlink(flag(d, "slow-records"))
        wait_until(lambda: not d.stats("j")["recovery"]["recovering"], 20,
            "its end")
        assert replay(d, "j") is None
        check_counts(d.stats("j")["data_counts"],
            processed_record_count=POSTS)


def test_some_jobs_are_replayed_at_a_time_and_others_wait():
    names = ["a", "b", "c"]
    with crashing() as where, Daemon(libexec_dir=where,
            journal_sync="never", max_opening=2) as d:
        for name in names:
            d.make_job(name, job())
            fill_journal(d, name)
        d.kill()
        for name in names:
            set_flag(d, "slow-records", name)
        restart_busy(d)

        def replaying():
            return [n for n in names if replay(d, n)]
        two = wait_until(lambda: len(replaying()) == 2 and replaying(), 20,
            "two replays")
        third, = set(names) - set(two)
        assert d.stats(third)["state"] == "opening"
        assert len(d.pids_of("anomd-worker")) == 2
        os.unlink(flag(d, "slow-records", two[0]))
        wait_until(lambda: third in replaying(), 20, "its turn")
        assert replaying() == sorted([two[1], third])
        for name in (two[1], third):
            os.unlink(flag(d, "slow-records", name))
        for name in names:
            wait_until(lambda n=name: d.stats(n)["state"] == "opened", 20,
                "the end of all")
            check_counts(d.stats(name)["data_counts"],
                processed_record_count=POSTS)


# ---- what the service manager is told

class Manager:
    """The socket that sd_notify(3) writes to, and all that came there."""

    def __init__(self):
        self._where = tempfile.mkdtemp(prefix="anomd-notify-")
        self.path = os.path.join(self._where, "notify")
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.path)
        self._socket.setblocking(False)
        self._heard = []

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self._socket.close()
        shutil.rmtree(self._where)

    def heard(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self._heard += self._socket.recv(4096).decode().split("\n")
        return self._heard

    def forget(self):
        self.heard()
        self._heard = []

    def shares(self):
        """The per cents of the replay that it was told, in order."""
        found = [REPLAYING.match(text) for text in self.heard()]
        return [int(m.group(1)) for m in found if m]


def test_ready_is_said_while_jobs_are_replayed_and_the_status_tells():
    with crashing() as where, Manager() as manager, Daemon(
            libexec_dir=where, journal_sync="never",
            env={"NOTIFY_SOCKET": manager.path}) as d:
        if "READY=1" not in manager.heard():
            raise Skip("built without libsystemd")
        d.make_job("j", job())
        d.make_job("other", job())
        fill_journal(d, "j")
        d.kill()
        set_flag(d, "slow-records")
        manager.forget()
        restart_busy(d)
        wait_until(lambda: "READY=1" in manager.heard(), 20, "READY=1")
        assert d.stats("j")["state"] == "opening"
        waiting = in_background(d.post, "j", [at(POSTS, v=1)])
        wait_until(lambda: len(manager.shares()) > 1, 20, "two shares")
        shares, heard = manager.shares(), manager.heard()
        assert heard.index("READY=1") < min(i for i, text in enumerate(heard)
            if REPLAYING.match(text)), heard
        assert shares == sorted(shares) and shares[-1] < 100, shares
        assert d.stats("j")["state"] == "opening"
        assert d.stats("other")["state"] == "opened"
        os.unlink(flag(d, "slow-records"))
        check_counts(waiting(), processed_record_count=1)
        wait_until(lambda: manager.heard()[-1] ==
            "STATUS=Serving: 2 jobs, 2 open, 0 failed", 20, "its end")
        check_counts(d.stats("j")["data_counts"],
            processed_record_count=POSTS + 1)
