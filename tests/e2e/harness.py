"""Runs the real daemon for a test and talks to it.

A test creates a Daemon (a context manager), which starts build/anomd on a
free port with a state directory of its own, and stops it again by its
process id. Binaries are taken from the directory that ANOMD_BUILD_DIR names
(default: build/ at the top of the tree).

    with Daemon() as d:
        d.put_job("j", job())
        d.open_job("j")
        counts = d.post("j", [{"time": 0, "v": 1}])

What is checked at the end of every test, whatever the test looks at: the
daemon ends by SIGTERM with status 0, none of its children outlives it, and
no sanitizer has complained in the log.
"""

import base64
import contextlib
import gzip
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import zlib

TOP = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("ANOMD_BUILD_DIR",
    os.path.join(TOP, "build")))
# Sanitizer builds are several times slower; only times depend on this.
SCALE = float(os.environ.get("ANOMD_TIMEOUT_SCALE", "1"))
# What a deadline is multiplied with: a machine may have much else to do, and
# one that is far off costs time only where something is wrong.
PATIENCE = 4 * SCALE

T0 = 1403481600     # an hour's beginning, in seconds

ML = "/_ml"
XPACK = "/_xpack/ml"
SANITIZER = re.compile(r"ERROR: \w+Sanitizer|runtime error:|SUMMARY: \w+San")


class Skip(Exception):
    """Raised by a test that cannot run here; its text says why."""


def timeout(seconds):
    """Give a test another deadline than the runner's default."""
    def mark(function):
        function.timeout = seconds
        return function
    return mark


def wait_until(condition, seconds=10, what="condition"):
    """Poll until condition() is true; returns its value."""
    end = time.monotonic() + seconds * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not in %g s: %s" % (seconds * PATIENCE,
                what))
        time.sleep(0.02)


class Response:
    """An answer. json is the parsed body, or None when it is not JSON."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers      # names in lower case
        self.raw = body             # as it came
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.body = body
        try:
            self.json = json.loads(body)
        except ValueError:
            self.json = None

    def __repr__(self):
        return "<%d %s>" % (self.status, self.body[:400])

    @property
    def error(self):
        """The error object of the API, or {} when there is none."""
        value = self.json.get("error") if isinstance(self.json, dict) else None
        return value if isinstance(value, dict) else {}


def job(span="1h", function="mean", field="v", time_field="time",
        time_format="epoch", influencers=(), **detector):
    """A job's configuration; more members go into its one detector."""
    parts = {"function": function}
    if field is not None:
        parts["field_name"] = field
    parts.update(detector)
    return {
        "analysis_config": {
            "bucket_span": span,
            "detectors": [parts],
            "influencers": list(influencers),
        },
        "data_description": {
            "time_field": time_field,
            "time_format": time_format,
        },
    }


def at(seconds, **values):
    """A record at T0 + seconds."""
    return dict({"time": T0 + seconds}, **values)


def in_background(function, *args, **more):
    """Run it in a thread.

    Returns a call that waits for its result: it returns that, or raises what
    the function has raised.
    """
    box = []

    def run():
        try:
            box.append((function(*args, **more), None))
        except BaseException as e:
            box.append((None, e))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def result(seconds=60):
        thread.join(seconds * PATIENCE)
        assert box, "no result in %g s" % (seconds * PATIENCE)
        value, error = box[0]
        if error is not None:
            raise error
        return value
    return result


def ndjson(records):
    """One document a line, as bytes."""
    return "".join(json.dumps(r) + "\n" for r in records).encode()


class Asked:
    """A request that the daemon has read, and its answer to come."""

    def __init__(self, connection):
        self._connection = connection

    @property
    def answered(self):
        return bool(select.select([self._connection.sock], [], [], 0)[0])

    def answer(self):
        """Wait for it; once only."""
        return receive(self._connection)


def receive(connection):
    """The answer to what was sent; the connection is closed."""
    try:
        answer = connection.getresponse()
        data = answer.read()
        return Response(answer.status,
            {k.lower(): v for k, v in answer.getheaders()}, data)
    finally:
        connection.close()


class Daemon:
    """One running anomd.

    options    configuration keys and their values; a list repeats the key
    state_dir  an existing directory to use and keep; default: a fresh one
    prefix     words before the program, such as ["prlimit", "--nofile=64"]
    """

    def __init__(self, state_dir=None, prefix=(), env=None, **options):
        self._temp = tempfile.mkdtemp(prefix="anomd-e2e-")
        self.state_dir = state_dir or os.path.join(self._temp, "state")
        os.makedirs(self.state_dir, exist_ok=True)
        self._log_path = os.path.join(self._temp, "log")
        self._prefix = list(prefix)
        self._env = dict(os.environ, **(env or {}))
        self._process = None
        self._checked = 0
        self.port = None
        self.headers = {}   # of requests that are given none
        self.options = {
            "listen": "127.0.0.1:0",
            "state_dir": self.state_dir,
            "libexec_dir": BUILD,
        }
        self.options.update(options)

    # ---- life

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.stop()
            else:
                self.kill()
                print("---- log of the daemon\n" + self.log()[-6000:])
        finally:
            self.kill()
            shutil.rmtree(self._temp, ignore_errors=True)

    def write_config(self):
        """Write the configuration file; returns its path."""
        path = os.path.join(self._temp, "anomd.conf")
        with open(path, "w") as f:
            for key, value in self.options.items():
                values = value if isinstance(value, (list, tuple)) else [value]
                for v in values:
                    f.write("%s %s\n" % (key, v))
        return path

    def start(self, wait=True):
        """Start it, and wait until it answers."""
        command = self._prefix + [os.path.join(BUILD, "anomd"), "-f",
            self.write_config()]
        start = len(self.log())
        with open(self._log_path, "ab") as log:
            # Under nohup SIGHUP would be ignored, and the daemon keeps to it.
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env=self._env,
                preexec_fn=lambda: signal.signal(signal.SIGHUP,
                    signal.SIG_DFL))
        if not wait:
            return
        def listening():
            if self._process.poll() is not None:
                raise AssertionError("anomd ended with %s:\n%s" % (
                    self._process.returncode, self.log()[start:]))
            return re.findall(r"listening on (?:127\.0\.0\.1|\[::1\]):(\d+)",
                self.log()[start:])
        self.port = int(wait_until(listening, 20, "listening")[0])
        self.prepare()
        assert self.get("/").status == 200
        # Jobs that were open come back by themselves; most tests want them.
        # Where a test keeps one from opening, it goes on without.
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self.opening(), 2, "opened again")

    def prepare(self):
        """It listens: what has to come before the first request."""

    def opening(self):
        """The jobs that are on their way to be open."""
        answer = self.get(ML + "/anomaly_detectors/_stats").json
        return [j["job_id"] for j in answer["jobs"]
            if j["state"] == "opening"]

    @property
    def pid(self):
        return self._process.pid

    @property
    def running(self):
        return self._process is not None and self._process.poll() is None

    def wait(self, seconds=20):
        """Wait for its end; returns the exit status."""
        return self._process.wait(seconds * PATIENCE)

    def stop(self, seconds=30):
        """End it in order, and check that it leaves nothing behind."""
        if self._process is None:
            return
        if self.running:
            family = self.children()
            self._process.send_signal(signal.SIGTERM)
            status = self.wait(seconds)
            assert status == 0, "status %d after SIGTERM:\n%s" % (status,
                self.log()[-3000:])
            for pid, name in family.items():
                wait_until(lambda: not is_alive(pid, name), 5,
                    "%s %d to end with the daemon" % (name, pid))
        self._process = None
        self.check_log()

    def kill(self):
        """End it with SIGKILL, as a crash would."""
        if self.running:
            family = self.children()
            self._process.kill()
            self._process.wait()
            for pid, name in family.items():
                with contextlib.suppress(AssertionError):
                    wait_until(lambda: not is_alive(pid, name), 5, "end")
        self._process = None

    def restart(self):
        """Stop it, or mourn it, and start again over the same state."""
        self.stop()
        self.start()

    def log(self):
        """All that it has written to standard error."""
        try:
            with open(self._log_path, errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def check_log(self):
        """Fail when a sanitizer has complained."""
        found = SANITIZER.search(self.log())
        assert not found, "sanitizer:\n" + self.log()[
            max(0, found.start() - 200):found.start() + 6000]

    # ---- processes

    def children(self):
        """Its child processes: process id -> program name."""
        found = {}
        with contextlib.suppress(FileNotFoundError):
            with open("/proc/%d/task/%d/children" % (self.pid, self.pid)) as f:
                for word in f.read().split():
                    name = process_name(int(word))
                    if name:
                        found[int(word)] = name
        return found

    def pids_of(self, program):
        """Process ids of its children that run program."""
        # Between fork and exec a child has the daemon's own name.
        return [p for p, n in self.children().items() if n == program[:15]]

    def worker_pid(self, job_id):
        """The process id of a job's worker, which may be starting still."""
        def found():
            for pid in self.pids_of("anomd-worker"):
                if job_id in command_line(pid)[1:]:
                    return pid
            return None
        return wait_until(found, 10, "a worker of " + job_id)

    def resident_kb(self, pid=None, field="VmRSS"):
        """A memory figure of a process; the daemon itself by default."""
        with open("/proc/%d/status" % (pid or self.pid)) as f:
            for line in f:
                if line.startswith(field + ":"):
                    return int(line.split()[1])
        raise AssertionError("no " + field)

    # ---- HTTP

    def connect(self, seconds=30):
        """A connection of http.client."""
        return http.client.HTTPConnection("127.0.0.1", self.port,
            timeout=seconds * PATIENCE)

    def _send(self, method, path, body, headers, seconds):
        """Send a request on a connection of its own, which is returned."""
        headers = dict(self.headers if headers is None else headers)
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        elif isinstance(body, str):
            body = body.encode()
        names = {name.lower() for name in headers}
        if body is not None and "content-type" not in names:
            headers["Content-Type"] = "application/json"
        connection = self.connect(seconds)
        try:
            connection.request(method, path, body=body, headers=headers)
        except BaseException:
            connection.close()
            raise
        return connection

    def request(self, method, path, body=None, headers=None, seconds=30):
        """One request and its answer."""
        return receive(self._send(method, path, body, headers, seconds))

    def ask(self, method, path, body=None, headers=None, seconds=60):
        """Send a request that is not answered yet; returns it as Asked.

        The daemon reads in the order in which things come, so when it has
        answered something else that came later, it has taken this up.
        """
        asked = Asked(self._send(method, path, body, headers, seconds))
        assert self.get("/").status == 200
        return asked

    def get(self, path, **more):
        return self.request("GET", path, **more)

    def raw(self, data, seconds=10):
        """Send bytes as they are, return all that comes until the close."""
        with self.socket(seconds) as s:
            s.sendall(data)
            return read_all(s)

    def socket(self, seconds=10):
        """A bare connection."""
        return socket.create_connection(("127.0.0.1", self.port),
            timeout=seconds * PATIENCE)

    # ---- the API, for what every test needs: each expects success

    def put_job(self, job_id, config, base=ML):
        return expect(200, self.request("PUT",
            "%s/anomaly_detectors/%s" % (base, job_id), config))

    def open_job(self, job_id, base=ML):
        return expect(200, self.request("POST",
            "%s/anomaly_detectors/%s/_open" % (base, job_id)))

    def close_job(self, job_id, base=ML, query=""):
        return expect(200, self.request("POST",
            "%s/anomaly_detectors/%s/_close%s" % (base, job_id, query),
            seconds=60))

    def delete_job(self, job_id, base=ML, query=""):
        return expect(200, self.request("DELETE",
            "%s/anomaly_detectors/%s%s" % (base, job_id, query)))

    def make_job(self, job_id, config):
        """Create and open."""
        self.put_job(job_id, config)
        self.open_job(job_id)

    def fail_job(self, job_id):
        """Let it fail: its worker dies, and the next one cannot open it."""
        jobs = os.path.join(self.state_dir, "jobs")
        own, = [os.path.join(jobs, name) for name in os.listdir(jobs)
            if name.startswith(job_id + ".")]
        os.rename(own, own + "-away")
        os.kill(self.worker_pid(job_id), signal.SIGKILL)
        wait_until(lambda: self.stats(job_id)["state"] == "failed", 10,
            "failed")
        os.rename(own + "-away", own)

    def try_post(self, job_id, records, base=ML, query="", headers=None,
            seconds=60):
        """POST to _data; records: bytes, text or a list of documents."""
        body = ndjson(records) if isinstance(records, list) else records
        return self.request("POST", "%s/anomaly_detectors/%s/_data%s" % (base,
            job_id, query), body, headers, seconds=seconds)

    def post(self, job_id, records, **more):
        """The same, and the counts that it answers."""
        return expect(202, self.try_post(job_id, records, **more))

    def ask_post(self, job_id, records, base=ML, query="", headers=None):
        """A post without waiting for the answer: see ask()."""
        body = ndjson(records) if isinstance(records, list) else records
        return self.ask("POST", "%s/anomaly_detectors/%s/_data%s" % (base,
            job_id, query), body, headers)

    def flush(self, job_id, query="", base=ML):
        return expect(200, self.request("POST",
            "%s/anomaly_detectors/%s/_flush%s" % (base, job_id, query),
            seconds=60))

    def stats(self, job_id, base=ML):
        """The job's one entry in _stats."""
        return expect(200, self.get("%s/anomaly_detectors/%s/_stats" % (base,
            job_id)))["jobs"][0]

    def results(self, job_id, kind, query="", base=ML):
        """results/buckets or results/records."""
        return expect(200, self.get("%s/anomaly_detectors/%s/results/%s%s" % (
            base, job_id, kind, query)))


def expect(status, response):
    """The JSON of an answer that must have this status."""
    assert response.status == status, "wanted %d: %r" % (status, response)
    return response.json


def expect_error(response, status, kind, reason):
    """Check an error of the API: status, type and text."""
    assert response.status == status, "wanted %d: %r" % (status, response)
    assert response.json["status"] == status, response
    error = response.error
    assert error.get("type") == kind, "wanted %s: %r" % (kind, response)
    assert error.get("reason") == reason, "wanted %r, got %r" % (reason,
        error.get("reason"))
    causes = error["root_cause"]
    assert len(causes) == 1 and set(causes[0]) >= {"type", "reason"}, response


def check_counts(got, **wanted):
    """Compare counts; a wanted value of None means that it must be absent."""
    wrong = []
    for name, value in wanted.items():
        if value is None:
            if name in got:
                wrong.append("%s: wanted none, got %r" % (name, got[name]))
        elif got.get(name) != value:
            wrong.append("%s: wanted %r, got %r" % (name, value,
                got.get(name)))
    assert not wrong, "; ".join(wrong)


def read_all(s):
    """Read a socket until the other side closes it."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while True:
            data = s.recv(65536)
            if not data:
                break
            parts.append(data)
    return b"".join(parts)


def cpu_seconds(pid):
    """What it has used of a processor so far."""
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def process_name(pid):
    """The name of a live process (at most 15 bytes), None without one."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            text = f.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    name, rest = text[text.index("(") + 1:].rsplit(")", 1)
    return None if rest.split()[0] in "ZX" else name


def is_alive(pid, name):
    return process_name(pid) == name


def command_line(pid):
    """The words that a process was started with; [] when it is gone."""
    try:
        with open("/proc/%d/cmdline" % pid) as f:
            return f.read().rstrip("\0").split("\0")
    except OSError:
        return []


def compressed(data, encoding):
    """data as Content-Encoding gzip or zstd has it."""
    if encoding == "gzip":
        return gzip.compress(data, mtime=0)
    return subprocess.run(["zstd", "-q", "-c"], input=data, check=True,
        stdout=subprocess.PIPE).stdout


def chunked(parts, trailer=b""):
    """The body of a chunked request, a chunk for each part."""
    out = [b"%x\r\n%s\r\n" % (len(p), p) for p in parts if p]
    return b"".join(out) + b"0\r\n" + trailer + b"\r\n"


__all__ = ["BUILD", "Daemon", "ML", "PATIENCE", "Response", "SCALE", "Skip",
    "T0", "TOP", "XPACK", "at", "base64", "check_counts", "chunked",
    "compressed", "cpu_seconds", "expect", "expect_error", "gzip", "http",
    "in_background", "is_alive", "job", "json", "ndjson", "os",
    "process_name", "re", "read_all", "shutil", "signal", "socket",
    "subprocess", "tempfile", "time", "timeout", "wait_until", "zlib"]
