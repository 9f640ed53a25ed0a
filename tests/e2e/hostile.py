"""Children of the daemon that do not keep to the protocol.

A test describes one as the text of a small program; libexec() makes a
directory in which it stands for the worker, the query process or the keeper,
beside the real others.

    with libexec(worker=WORKER_OPEN + "os._exit(0)") as where:
        with Daemon(libexec_dir=where) as d: ...

The program has the functions of PRELUDE: get() reads a frame, put() writes
one, and some payloads that most programs need.
"""

import contextlib
import os
import shutil
import sys
import tempfile

from harness import BUILD

PRELUDE = '''
import os, socket, struct, time
HEAD = struct.Struct(">IHHI")
(HELLO, READY, PING, PONG) = (1, 2, 3, 4)
(BEGIN, DATA, SEAL, COUNTS, FAILED) = (20, 21, 22, 24, 25)
(FLUSH, TOTALS, CLOSE, CLOSED) = (30, 40, 50, 51)
(QUERY, PART, END) = (60, 61, 62)
(LOAD, JOB, CREATE, STATE, DELETE, DONE) = (70, 71, 72, 73, 74, 75)
UNSET = -2**63
channel = socket.socket(fileno=3)

def put(kind, request, payload=b"", length=None):
    length = len(payload) if length is None else length
    channel.sendall(HEAD.pack(length, kind, 0, request) + payload)

def exactly(n):
    data = b""
    while len(data) < n:
        more = channel.recv(n - len(data))
        if not more:
            os._exit(0)
        data += more
    return data

version = b""     # as HELLO has it

def get():
    global version
    length, kind, _, request = HEAD.unpack(exactly(HEAD.size))
    data = exactly(length)
    if kind == HELLO:
        version = data[:4]
    return kind, request, data

def span(data):
    return struct.pack(">I", len(data)) + data

def u64(n):
    return struct.pack(">Q", n)

def ready():
    put(READY, 0, version)

def pong(ping, progress=0, busy=False):
    put(PONG, 0, ping[:8] + u64(progress) + bytes([busy]))

def counts(n=1):
    return struct.pack(">10Q5q", n, n, *[0] * 8, *[UNSET] * 5)

def totals():
    return (counts(0) + struct.pack(">8QB2q", *[0] * 9, UNSET, UNSET) +
        struct.pack(">Q5d", *[0] * 6))

def failed(status=500, reason=b"no", links=1):
    text = b"".join(struct.pack(">H", len(t)) + t
        for t in (b"exception", reason))
    return span(struct.pack(">HIB", status, 0, links) + text * links)

def hang():
    time.sleep(1000)
'''

# Up to READY; a worker is told its job in two messages.
WORKER_OPEN = '''
get(); get()
put(TOTALS, 0, span(totals()))
ready()
'''
QUERY_OPEN = '''
get()
ready()
'''
# The keeper answers the load too: there are no jobs.
KEEPER_OPEN = '''
get()
ready()
put(DONE, get()[1], u64(0))
incarnation = 0
'''


def reacting(opening, body):
    """A program that looks at each frame: kind, request, payload."""
    return opening + "while True:\n    kind, request, payload = get()\n" + (
        "".join("    %s\n" % line for line in body.strip("\n").split("\n")))


@contextlib.contextmanager
def libexec(**programs):
    """A libexec_dir; programs: worker, query, keeper -> text of a program."""
    where = tempfile.mkdtemp(prefix="anomd-hostile-")
    try:
        for role in ("worker", "query", "keeper"):
            path = os.path.join(where, "anomd-" + role)
            if role not in programs:
                os.symlink(os.path.join(BUILD, "anomd-" + role), path)
                continue
            with open(path, "w") as f:
                f.write("#!%s -S\n%s%s" % (sys.executable, PRELUDE,
                    programs[role]))
            os.chmod(path, 0o755)
        yield where
    finally:
        shutil.rmtree(where, ignore_errors=True)
