"""anomctl verify, with whole and with damaged state."""

import contextlib

from ctltool import *
from harness import *
from test_quarantine import DEADLY, crashing


def files(top):
    return sorted(os.path.join(at, name) for at, _, names in os.walk(top)
        for name in names)


def contents(top):
    found = {}
    for path in files(top):
        with open(path, "rb") as f:
            found[path] = f.read()
    return found


def prepare(d):
    """A job that is open, with snapshots, journal and results."""
    d.make_job("a", job("5m"))
    for first in (0, 600, 1200):
        d.post("a", [{"time": T0 + i * 60, "v": i % 7}
            for i in range(first, first + 600)])
        d.close_job("a")
        d.open_job("a")
    d.post("a", [{"time": T0 + i * 60, "v": 1}
        for i in range(1800, 1900)])


def test_a_whole_state_is_left_as_it_is():
    with Daemon() as d, tempfile.TemporaryDirectory() as temp:
        prepare(d)
        done = ctl(None, "verify", d.state_dir)
        assert done.ok() == "" and "files are whole" in done.err, done
        copy = os.path.join(temp, "copy")
        ctl(None, "backup", "-s", d.state_dir, copy).ok()
        before = contents(copy)
        done = ctl(None, "verify", copy)
        assert done.ok() == "" and "files are whole" in done.err, done
        assert contents(copy) == before
        d.kill()
        before = contents(os.path.join(d.state_dir, "jobs"))
        ctl(None, "verify", d.state_dir).ok()
        after = contents(os.path.join(d.state_dir, "jobs"))
        # The -shm is what readers of a database speak through.
        for path in before:
            assert path.endswith("-shm") or after[path] == before[path], path


@contextlib.contextmanager
def stopped():
    """The state directory of a stopped daemon, with all kinds of files."""
    with tempfile.TemporaryDirectory() as temp, crashing() as where:
        state = os.path.join(temp, "state")
        with Daemon(state_dir=state, libexec_dir=where) as d:
            prepare(d)
            listed = d.get(ML + "/anomaly_detectors/a/model_snapshots").json
            d.request("POST", ML + "/anomaly_detectors/a/model_snapshots/%s"
                "/_update" % listed["model_snapshots"][0]["snapshot_id"],
                {"retain": True})
            assert d.try_post("a", [{"time": DEADLY, "v": 1.0}]).status == 500
            d.post("a", [{"time": T0 + i * 60, "v": 1}
                for i in range(1901, 2000)])
            d.flush("a", "?calc_interim=true")
            d.kill()
        ctl(None, "verify", state).ok()
        yield state


def kind_of(path):
    name = os.path.basename(path)
    if name.startswith("entry-"):
        return "entry"
    return name if name in ("in-hand", "put-aside", "catalog.db",
        "catalog.db.copy") else name.rsplit(".", 1)[-1]


KINDS = {"seg", "zst", "snap", "meta", "db", "in-hand", "put-aside", "entry",
    "catalog.db", "catalog.db.copy"}


def check_named(state, path, at=None):
    """Its fault is said, with what becomes of it."""
    done = ctl(None, "verify", state)
    assert done.status == 1, (path, at, done)
    found = re.search(r"%s: byte (\d+): [^;\n]+; \w" % re.escape(path),
        done.out)
    assert found, (path, at, done)
    assert at is None or int(found.group(1)) <= at, (path, at, done)
    return done.out


@timeout(240)
def test_damage_is_named_with_file_offset_and_cure():
    with stopped() as state:
        seen = set()
        for path in files(state):
            kind = kind_of(path)
            if kind not in KINDS:
                continue
            seen.add(kind)
            with open(path, "rb") as f:
                data = f.read()
            for at in range(0, len(data), max(1, len(data) // 20)):
                with open(path, "r+b") as f:
                    f.seek(at)
                    f.write(bytes([data[at] ^ 4]))
                check_named(state, path, at)
                with open(path, "r+b") as f:
                    f.write(data)
            if kind not in ("seg", "in-hand"):
                os.truncate(path, len(data) // 2)
                check_named(state, path)
            with open(path, "wb") as f:
                f.write(data)
        assert KINDS - {"zst"} <= seen, seen
        ctl(None, "verify", state).ok()


@contextlib.contextmanager
def without(path):
    away = path + "~away"
    os.rename(path, away)
    try:
        yield
    finally:
        os.rename(away, path)


def found(state):
    done = ctl(None, "verify", state)
    assert done.status == 1 and done.err == "", done
    return done.out


def test_what_is_missing_is_told():
    with stopped() as state:
        a = os.path.join(state, "jobs", "a.1")
        segments = files(os.path.join(a, "journal"))
        states = [p for p in files(os.path.join(a, "snapshots"))
            if p.endswith(".snap")]
        last = int(os.path.basename(states[-1])[:20])
        newer = [p for p in segments
            if int(os.path.basename(p)[:20]) > last]
        assert len(states) >= 2 and len(newer) == 2, (states, segments)
        end = int(os.path.basename(newer[1])[:20])
        with without(newer[1]):
            assert re.search(r"journal: entries %d to \d+ are lost at its "
                "end, whose results are there; restore" % end,
                found(state)), found(state)
        with without(newer[0]):
            assert "%s: entries %d to %d are lost; restore" % (segments[0],
                last + 1, end - 1) in found(state), found(state)
        # What is between the newest snapshot and the journal.
        with contextlib.ExitStack() as all_of:
            for path in states:
                all_of.enter_context(without(path))
            first = int(os.path.basename(segments[0])[:20])
            assert "%s: entries 1 to %d are lost, which came before byte 0 " \
                "of it; restore a backup" % (segments[0], first - 1) in \
                found(state), found(state)
        # The one before is enough.
        with without(states[-1]):
            ctl(None, "verify", state).ok()
        with without(os.path.join(a, "results", "results.db")):
            assert "results.db: it is missing, and a snapshot says" in \
                found(state), found(state)
        with without(os.path.join(a, "put-aside")):
            assert "put-aside: it does not name an entry that is in " \
                "quarantine; nothing is lost" in found(state), found(state)
        for name in ("journal", "snapshots", "results", "quarantine"):
            with without(os.path.join(a, name)):
                assert "a.1/%s: the directory is missing; " % name in \
                    found(state), found(state)
        with without(a):
            assert "jobs/a.1: the directory of a job is missing; all of " \
                "this job is lost" in found(state), found(state)
        with without(os.path.join(state, "catalog.db")):
            assert "catalog.db: it is missing; nothing is lost: the next " \
                "start of anomd makes it from the copy" in found(state)
            with without(os.path.join(state, "catalog.db.copy")):
                assert "catalog.db: it is missing; there is no whole copy" \
                    in found(state)
        with without(os.path.join(state, "catalog.db.copy")):
            done = ctl(None, "verify", state)
            assert done.status == 1, done
            assert "catalog.db.copy: it is missing; nothing is lost" in \
                done.out, done
        ctl(None, "verify", state).ok()


def test_directories_of_no_job():
    with stopped() as state:
        jobs = os.path.join(state, "jobs")
        for name in ("lost+found", "b.0", "c"):
            os.mkdir(os.path.join(jobs, name))
        with open(os.path.join(jobs, "c", "file"), "w") as f:
            f.write("x")
        # What a creation leaves that was cut off.
        for part in ("spool", "journal", "snapshots", "quarantine",
                "results"):
            os.makedirs(os.path.join(jobs, "new.8", part))
        ctl(None, "verify", state).ok()
        for name in ("zz.9", "zz.1"):
            copy = os.path.join(jobs, name)
            shutil.copytree(os.path.join(jobs, "a.1"), copy)
            out = found(state)
            assert out.count("\n") == 1 and "jobs/%s: it has data, and no " \
                "job of the catalogue is this one; the catalogue has lost " \
                "it, or it is left over" % name in out, out
            shutil.rmtree(copy)


def test_a_damaged_segment_is_no_loss_before_a_whole_snapshot():
    with stopped() as state:
        a = os.path.join(state, "jobs", "a.1")
        segments = files(os.path.join(a, "journal"))
        assert len(segments) >= 2, segments
        for path, text in (segments[0], "nothing is lost while the newest"), (
                segments[-1], "see the next line"):
            with open(path, "r+b") as f:
                f.seek(100)
                byte = f.read(1)
                f.seek(100)
                f.write(bytes([byte[0] ^ 1]))
            out = check_named(state, path, 100)
            assert text in out, out
            assert (" are lost" in out) == (path == segments[-1]), out
            with open(path, "r+b") as f:
                f.seek(100)
                f.write(byte)


def test_catalogue_and_copy_are_compared_by_their_changes():
    with tempfile.TemporaryDirectory() as temp:
        state = os.path.join(temp, "state")
        main, copy = (os.path.join(state, name) for name in (
            "catalog.db", "catalog.db.copy"))
        with Daemon(state_dir=state) as d:
            d.put_job("a", job())
        ctl(None, "verify", state).ok()
        old = os.path.join(temp, "old")
        shutil.copy(main, old)
        with Daemon(state_dir=state) as d:
            d.put_job("b", job())
        with without(copy):
            shutil.copy(old, copy)
            out = found(state)
            assert re.search(r"catalog\.db\.copy: it has the changes up to "
                r"\d+, catalog\.db up to \d+; nothing is lost", out), out
            os.unlink(copy)
        with without(main):
            shutil.copy(old, main)
            out = found(state)
            assert re.search(r"catalog\.db: changes \d+ to \d+ are missing; "
                "nothing is lost: the next start", out), out
            os.unlink(main)
        ctl(None, "verify", state).ok()


def test_a_backup_that_is_not_what_was_copied_is_refused():
    with tempfile.TemporaryDirectory() as temp:
        copy, state = os.path.join(temp, "copy"), os.path.join(temp, "state")
        with Daemon() as d:
            prepare(d)
            ctl(None, "backup", "-s", d.state_dir, copy).ok()
        ctl(None, "restore", copy, state).ok()
        done = ctl(None, "verify", state)
        assert done.ok() == "", done
        with without(os.path.join(copy, "manifest.json")):
            done = ctl(None, "verify", copy)
            assert done.status == 1, done
            assert "if this is a backup, it lacks its manifest.json" in \
                done.err, done
        path = files(os.path.join(copy, "jobs"))[0]
        os.unlink(path)
        out = ctl(None, "verify", copy)
        assert out.status == 1 and "restore refuses this backup" in out.out, out


def test_looking_leaves_no_files():
    """Neither in a state directory that is not in use nor in a backup."""
    with tempfile.TemporaryDirectory() as temp:
        copy, state = os.path.join(temp, "copy"), os.path.join(temp, "state")
        with Daemon(state_dir=state) as d:
            prepare(d)
        before = contents(state)
        assert not [p for p in before if p.endswith("catalog.db-wal")]
        ctl(None, "verify", state).ok()
        ctl(None, "backup", "-s", state, copy).ok()
        assert files(state) == sorted(before), set(files(state)) ^ set(before)
        with Daemon(state_dir=state) as d:
            assert d.stats("a")["state"] == "opened"


def test_what_cannot_be_looked_at():
    with tempfile.TemporaryDirectory() as temp:
        ctl(None, "verify", os.path.join(temp, "absent")).failed(
            "No such file or directory", status=2)
        ctl(None, "verify", temp).failed("is no state directory", status=2)
