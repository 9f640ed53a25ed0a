#!/usr/bin/env python3
"""Runs the end-to-end tests: functions test_* of the files test_*.py here.

    tests/e2e/run.py [-j N] [-l] [PATTERN]...

A PATTERN selects tests whose name ("test_data.py::test_gzip") contains it.
Each test has a process, a process group and a deadline of its own. At the
deadline the test is interrupted where it is, which is told with the log of its
daemon; if that does not end it, the whole group is killed.

Why a test failed stands first in its output, and once more in a line
"failed: NAME: REASON" before the last line, which has the totals.
"""

import argparse
import glob
import importlib.util
import os
import re
import signal
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import harness  # noqa: E402  (the path above comes first)

DEFAULT_SECONDS = 60
GRACE = 30          # seconds that an interrupted test has for its end
REASON_MAX = 600    # bytes of a reason
PASSED, FAILED, SKIPPED = 0, 1, 2
WORDS = {PASSED: "ok", FAILED: "FAIL", SKIPPED: "skip"}


def discover(patterns):
    """All selected tests, as (name, function)."""
    found = []
    for path in sorted(glob.glob(os.path.join(HERE, "test_*.py"))):
        stem = os.path.basename(path)
        spec = importlib.util.spec_from_file_location(stem[:-3], path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for name, value in vars(module).items():
            if not name.startswith("test_") or not callable(value):
                continue
            full = "%s::%s" % (stem, name)
            if not patterns or any(p in full for p in patterns):
                found.append((full, value))
    return found


class Late(BaseException):
    """The deadline of a test; no test is to take it for a failed check."""


def interrupt_after(seconds):
    def late(*_):
        raise Late("not finished in %g s" % seconds)
    signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)


def reason_of(error):
    """Where a test failed, what it did there, and what came of it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = frames[-1]
    for frame in frames:
        if os.path.basename(frame.filename).startswith("test_"):
            place = frame
    text = "".join(traceback.format_exception_only(type(error), error))
    return "%s:%d: %s: %s" % (os.path.basename(place.filename), place.lineno,
        place.line, text)


def one_line(reason):
    """Both ends of it: what was asserted, and the last of a log."""
    line = re.sub(r"\s+", " ", reason).strip()
    if len(line) > REASON_MAX:
        line = line[:REASON_MAX // 2] + " ... " + line[-REASON_MAX // 2:]
    return line


def run_here(function, reason):
    """In the child: run the test, return what became of it.

    reason: a file for what made it fail.
    """
    try:
        function()
        return PASSED
    except harness.Skip as e:
        print("skipped: %s" % e)
        return SKIPPED
    except BaseException as e:
        signal.setitimer(signal.ITIMER_REAL, 0)
        traceback.print_exc(file=sys.stdout)
        reason.write(reason_of(e))
        reason.flush()
        return FAILED


class Running:
    """A test in its child process."""

    def __init__(self, name, function):
        self.name = name
        self.start = time.monotonic()
        self.seconds = harness.PATIENCE * getattr(function, "timeout",
            DEFAULT_SECONDS)
        self.output = tempfile.TemporaryFile("w+", errors="replace")
        self._reason = tempfile.TemporaryFile("w+", errors="replace")
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.setpgid(0, 0)
            os.dup2(self.output.fileno(), 1)
            os.dup2(self.output.fileno(), 2)
            interrupt_after(self.seconds)
            result = run_here(function, self._reason)
            sys.stdout.flush()
            os._exit(result)

    def poll(self):
        """Its result, or None while it runs."""
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        late = time.monotonic() - self.start > self.seconds + GRACE
        if pid == 0 and not late:
            return None
        self.kill_group()
        if pid == 0:
            os.waitpid(self.pid, 0)
            self.note("not finished in %g s, and not to be interrupted" %
                self.seconds)
            return FAILED
        if not os.WIFEXITED(status):
            self.note("ended by signal %d" % os.WTERMSIG(status))
            return FAILED
        result = os.WEXITSTATUS(status)
        return result if result in WORDS else FAILED

    def kill_group(self):
        """Nothing that a test started may outlive it."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def note(self, text):
        """A reason that the test itself could not give."""
        self._reason.seek(0, os.SEEK_END)
        self._reason.write(" " + text)
        self._reason.flush()

    def reason(self):
        self._reason.seek(0)
        return one_line(self._reason.read()) or "it does not say why"

    def report(self, result):
        print("%-4s %s (%.1f s)" % (WORDS[result], self.name,
            time.monotonic() - self.start))
        if result == FAILED:
            print("     " + self.reason())
        self.output.seek(0)
        text = self.output.read().rstrip()
        # A passing test may print figures; they are part of the result.
        if text:
            print("\n".join("     " + line for line in text.split("\n")))
        sys.stdout.flush()
        self.output.close()


def run(tests, jobs):
    """Run them, jobs at a time.

    Returns how often each result came, and the lines on those that failed.
    """
    totals = dict.fromkeys(WORDS, 0)
    failed = []
    waiting = list(tests)
    running = []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(Running(*waiting.pop(0)))
            time.sleep(0.01)
            for test in list(running):
                result = test.poll()
                if result is not None:
                    running.remove(test)
                    test.report(result)
                    totals[result] += 1
                    if result == FAILED:
                        failed.append("failed: %s: %s" % (test.name,
                            test.reason()))
    finally:
        for test in running:
            test.kill_group()
    return totals, failed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-j", type=int, default=2, metavar="N",
        help="tests at a time")
    parser.add_argument("-l", action="store_true", help="only list")
    parser.add_argument("patterns", nargs="*", metavar="PATTERN")
    args = parser.parse_args()
    tests = discover(args.patterns)
    if args.l:
        print("\n".join(name for name, _ in tests))
        return 0
    if not tests:
        print("no such test", file=sys.stderr)
        return 2
    if not os.access(os.path.join(harness.BUILD, "anomd"), os.X_OK):
        print("no anomd in %s" % harness.BUILD, file=sys.stderr)
        return 2
    totals, failed = run(tests, args.j)
    print("\n".join(failed), end="\n" if failed else "")
    print("%d passed, %d failed, %d skipped" % (totals[PASSED],
        totals[FAILED], totals[SKIPPED]))
    return 1 if totals[FAILED] else 0


if __name__ == "__main__":
    sys.exit(main())
