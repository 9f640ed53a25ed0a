"""Runs anomctl for a test: plainly, on a terminal, against a server that
answers whatever the test wants, and against the real daemon.
"""

import contextlib
import http.server
import os
import select
import shutil
import signal
import socketserver
import subprocess
import tempfile
import threading
import time

import harness
import secure
from harness import BUILD, PATIENCE, Response, SANITIZER, TOP, json

ANOMCTL = os.path.join(BUILD, "anomctl")


def environment(more=None):
    """What anomctl sees: nothing of ANOMD_*, UTC, and a locale with UTF-8."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("ANOMD_")}
    env.update({"LC_ALL": "C.UTF-8", "TZ": "UTC"})
    env.update(more or {})
    return env


class Done:
    """What became of a run: status, and what was written."""

    def __init__(self, status, out, err=""):
        self.status = status
        self.out = out
        self.err = err
        assert not SANITIZER.search(out + err), out + err
        assert status >= 0, "ended by signal %d: %s" % (-status, err)

    def __repr__(self):
        return "<status %d, out %r, err %r>" % (self.status, self.out,
            self.err)

    def ok(self):
        """Its standard output, after a success."""
        assert self.status == 0, self
        return self.out

    def failed(self, text, status=1):
        """Check that it failed and said this, and printed nothing else."""
        assert self.status == status, self
        assert text in self.err, "no %r in %r" % (text, self)
        assert self.out == "", self
        return self.err


def command(url, words):
    return [ANOMCTL] + (["-u", url] if url else []) + list(words)


def ctl(url, *words, stdin="", env=None, **more):
    """Run it without a terminal."""
    done = subprocess.run(command(url, words), input=stdin, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(env),
        start_new_session=True, timeout=30 * PATIENCE, **more)
    return Done(done.returncode, done.stdout, done.stderr)


def ctl_terminal(url, *words, typed=(), env=None):
    """Run it on a terminal, and type each line when its prompt has come.

    typed: pairs of a prompt and a line. Returns what the terminal showed.
    """
    pid, fd = os.forkpty()
    if pid == 0:
        try:
            os.execve(ANOMCTL, command(url, words), environment(env))
        finally:
            os._exit(127)
    shown = b""
    typed = list(typed)
    end = time.monotonic() + 30 * PATIENCE
    try:
        while True:
            if not select.select([fd], [], [], end - time.monotonic())[0]:
                raise AssertionError("nothing more after %r" % shown)
            try:
                data = os.read(fd, 4096)
            except OSError:     # how a terminal tells that it is closed
                data = b""
            if not data:
                break
            shown += data
            if typed and shown.endswith(typed[0][0].encode()):
                os.write(fd, typed.pop(0)[1].encode() + b"\n")
    except BaseException:
        os.kill(pid, signal.SIGKILL)
        raise
    finally:
        os.close(fd)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert not typed, "no prompt %r in %r" % (typed[0][0], shown)
    return Done(status, shown.decode().replace("\r\n", "\n"))


class Request:
    """One request as the fake server got it."""

    def __init__(self, handler):
        self.method = handler.command
        self.path = handler.path
        self.headers = {k.lower(): v for k, v in handler.headers.items()}
        length = int(self.headers.get("content-length", 0))
        self.body = handler.rfile.read(length)
        self.json = json.loads(self.body) if self.body else None

    def __repr__(self):
        return "<%s %s %r>" % (self.method, self.path, self.body)


def answer(status, body, headers=""):
    """The bytes of an answer; body: bytes, or what becomes JSON."""
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return ("HTTP/1.1 %d X\r\nContent-Type: application/json\r\n%s"
        "Content-Length: %d\r\n\r\n" % (status, headers, len(body))
        ).encode() + body


def api_error(status, reason):
    """An error as the daemon gives it."""
    cause = {"type": "some_exception", "reason": reason}
    return answer(status, {"error": dict(cause, root_cause=[cause]),
        "status": status})


class Fake:
    """A server on a Unix socket, or on TCP, whose answers the test gives.

    answers  what each request is answered with, in turn: bytes, after which
             the connection is closed, or a function of the handler and the
             request
    """

    def __init__(self, *answers, tcp=False, context=None):
        self.requests = []
        self.answers = list(answers)
        self._temp = tempfile.mkdtemp(prefix="anomctl-fake-")
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_one_request(self):
                self.close_connection = True
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    return
                request = Request(self)
                fake.requests.append(request)
                reply = fake.answers.pop(0) if fake.answers else answer(
                    500, {"error": "the fake has no answer left"})
                with contextlib.suppress(BrokenPipeError,
                        ConnectionResetError):
                    if isinstance(reply, bytes):
                        self.wfile.write(reply)
                    else:
                        reply(self, request)

        kind = (socketserver.ThreadingTCPServer if tcp
            else socketserver.ThreadingUnixStreamServer)
        kind.daemon_threads = True
        kind.block_on_close = False
        self.server = kind(("127.0.0.1", 0) if tcp
            else os.path.join(self._temp, "sock"), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket,
                server_side=True)
        if tcp:
            self.url = "%s://127.0.0.1:%d" % ("https" if context else "http",
                self.server.server_address[1])
        else:
            self.url = "unix:" + self.server.server_address

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever,
            args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self.server.shutdown()
        self.server.server_close()
        shutil.rmtree(self._temp)
        if kind is None:
            assert not self.answers, "%d answers were not asked for" % len(
                self.answers)

    def seen(self):
        """The requests so far, as "GET /path"."""
        return ["%s %s" % (r.method, r.path) for r in self.requests]


class CtlDaemon(secure.SecureDaemon):
    """A daemon that lets nobody in unasked. The test's own requests come over
    the Unix socket, so that there is no key but those that the test makes.

    unix  its Unix socket as anomctl takes it
    http  its TCP port as anomctl takes it
    """

    def prepare(self):
        pass

    def connect(self, seconds=30):
        return secure.UnixConnection(self.socket_path)

    @property
    def unix(self):
        return "unix:" + self.socket_path

    @property
    def http(self):
        return "http://127.0.0.1:%d" % self.port

    def over_tcp(self, method, path, authorization):
        """A request as somebody from elsewhere makes it."""
        connection = harness.Daemon.connect(self)
        try:
            connection.request(method, path,
                headers={"Authorization": authorization})
            got = connection.getresponse()
            return Response(got.status, {k.lower(): v
                for k, v in got.getheaders()}, got.read())
        finally:
            connection.close()


__all__ = ["ANOMCTL", "CtlDaemon", "Done", "Fake", "TOP", "answer",
    "api_error", "ctl", "ctl_terminal", "environment"]
