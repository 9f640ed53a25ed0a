"""anomctl quarantine, against a server with entries that were put aside."""

from ctltool import *
from harness import *

ENTRIES = {"count": 2, "entries": [
    {"entry": 17, "type": "upload", "bytes": 4096, "time": 1700000000000,
        "reason": "worker killed by signal 11"},
    {"entry": 23, "type": "flush", "bytes": 0, "time": 1700000060000,
        "reason": "worker killed by\x1b[2J signal 6"}]}
PATH = "/_ml/anomaly_detectors/web-1/_quarantine"


def test_entries_are_listed_and_shown():
    with Fake(*[answer(200, ENTRIES)] * 4) as f:
        assert ctl(f.url, "quarantine", "list", "web-1").ok() == (
            "ENTRY  TYPE    BYTES  PUT ASIDE         WHY\n"
            "17     upload  4096   2023-11-14 22:13  "
            "worker killed by signal 11\n"
            "23     flush   0      2023-11-14 22:14  "
            "worker killed by\\x1b[2J signal 6\n")
        assert json.loads(ctl(f.url, "quarantine", "list", "web-1",
            "--json").ok()) == ENTRIES
        shown = ctl(f.url, "quarantine", "show", "web-1", "23").ok()
        assert "flush" in shown and "upload" not in shown, shown
        ctl(f.url, "quarantine", "show", "web-1", "2").failed(
            "there is no such entry")
        assert f.seen() == ["GET " + PATH] * 4
    with Fake(answer(200, {})) as f:
        ctl(f.url, "quarantine", "list", "web-1").failed("has not the form")


def test_entries_are_posted_again_and_dropped():
    with Fake(answer(200, {}), answer(200, {}),
            api_error(404, "no entry [5]")) as f:
        done = ctl(f.url, "quarantine", "post", "web-1", "17")
        assert done.ok() == "" and "posted again" in done.err, done
        done = ctl(f.url, "quarantine", "drop", "web-1", "23")
        assert done.ok() == "" and "is dropped" in done.err, done
        ctl(f.url, "quarantine", "drop", "web-1", "5").failed("no entry [5]")
        assert f.seen() == ["POST %s/17/_post" % PATH,
            "DELETE %s/23" % PATH, "DELETE %s/5" % PATH]
