"""anomctl post: files and pipes into a job, each record once."""

import contextlib
import random

from ctltool import *
from ctltool import command
from harness import *

T0 = 1403481600


def lines(n, first=0):
    return ndjson([{"time": T0 + (first + i) * 60, "v": i,
        "filler": "x" * 60} for i in range(n)])


def url(d):
    return "http://127.0.0.1:%d" % d.port


def write(where, name, data):
    path = os.path.join(where, name)
    with open(path, "wb") as f:
        f.write(data)
    return path


def sums(done):
    return json.loads(done.ok())


def counted(d):
    return d.stats("j")["data_counts"]["processed_record_count"]


def test_files_gzip_and_standard_input_are_posted_and_added_up():
    with Daemon() as d, tempfile.TemporaryDirectory() as where:
        d.make_job("j", job())
        plain = write(where, "a.json", lines(3000))
        packed = write(where, "b.gz", gzip.compress(lines(3000, 3000)))
        got = sums(ctl(url(d), "post", "--format", "json", "--piece", "64kb",
            "-q", "j", plain, packed))
        assert got["uploads"] > 4 and got["repeated"] == 0, got
        assert got["processed_record_count"] == 6000, got
        out = ctl(url(d), "post", "-q", "j",
            stdin=lines(10, 6000).decode()).ok()
        assert re.search(r"^processed_record_count +10$", out, re.M), out
        assert counted(d) == 6010
        again = sums(ctl(url(d), "post", "--format", "json", "--piece",
            "64kb", "-q", "j", plain, packed))
        assert again["repeated"] == again["uploads"] == got["uploads"], again
        assert again["processed_record_count"] == 6000, again
        assert counted(d) == 6010


def test_a_header_goes_before_every_piece():
    with Daemon() as d, tempfile.TemporaryDirectory() as where:
        config = job()
        config["data_description"]["format"] = "delimited"
        d.make_job("j", config)
        body = b"time\tv\tfiller\n" + b"".join(b"%d\t%d\t%s\n" % (T0 + i * 60, i,
            b"x" * 60) for i in range(4000))
        got = sums(ctl(url(d), "post", "--format", "json", "--piece", "64kb",
            "-q", "j", write(where, "a.csv", body)))
        assert got["uploads"] > 2, got
        assert got["processed_record_count"] == 4000, got


def test_faults_are_named():
    with Daemon() as d, tempfile.TemporaryDirectory() as where:
        ctl(url(d), "post", "nope", "/dev/null").failed(
            "No known job with id 'nope'")
        d.make_job("j", job())
        ctl(url(d), "post", "j", os.path.join(where, "x")).failed(
            "No such file")
        for option, value in (("--piece", "1kb"), ("--give-up", "soon"),
                ("--format", "xml")):
            ctl(url(d), "post", option, value, "j").failed(
                option + " wants", status=2)
        cut = write(where, "cut.gz", gzip.compress(lines(3000))[:-20])
        ctl(url(d), "post", "j", cut).failed("unexpected end of file")
        long = write(where, "long", b"x" * 70000 + b"\n")
        ctl(url(d), "post", "--piece", "64kb", "j", long).failed(
            "the line at byte 0 is longer than a piece")
        assert counted(d) == 0


@timeout(180)
def test_kills_of_worker_daemon_and_client_lose_and_double_nothing():
    chance = random.Random(4)
    with Daemon() as d, tempfile.TemporaryDirectory() as where:
        d.make_job("j", job())
        path = write(where, "a.json", lines(60000))
        d.options["listen"] = "127.0.0.1:%d" % d.port
        words = command(url(d), ["post", "--format", "json", "--piece",
            "64kb", "-q", "j", path])
        for kill in ("worker", "client", "daemon", "worker", "client", "daemon",
                "none"):
            client = subprocess.Popen(words, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, env=environment(None))
            before = counted(d)
            if kill != "none":
                with contextlib.suppress(AssertionError):
                    wait_until(lambda: counted(d) > before
                        + chance.randrange(8000), 5, "some more")
            if kill == "client":
                client.kill()
            elif kill == "worker":
                os.kill(d.worker_pid("j"), signal.SIGKILL)
            elif kill == "daemon":
                d.kill()
                d.start()
            out = client.communicate(timeout=60 * PATIENCE)[0]
        assert client.returncode == 0
        assert json.loads(out)["processed_record_count"] == 60000, out
        assert counted(d) == 60000
