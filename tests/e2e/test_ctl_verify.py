"""anomctl verify, with whole and with damaged state."""

from ctltool import *
from harness import *


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
        d.post("a", [{"time": 1700006400 + i * 60, "v": i % 7}
            for i in range(first, first + 600)])
        d.close_job("a")
        d.open_job("a")
    d.post("a", [{"time": 1700006400 + i * 60, "v": 1}
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


@timeout(120)
def test_damage_is_named_with_file_and_offset():
    with tempfile.TemporaryDirectory() as temp:
        copy = os.path.join(temp, "copy")
        with Daemon() as d:
            prepare(d)
            ctl(None, "backup", "-s", d.state_dir, copy).ok()
        every_flip_is_found(copy)


def every_flip_is_found(copy):
    os.unlink(os.path.join(copy, "manifest.json"))  # a state directory now
    kinds = set()
    for path in files(copy):
        with open(path, "rb") as f:
            data = f.read()
        kind = path.rsplit(".", 1)[-1]
        if kind not in ("seg", "zst", "snap", "db"):
            continue
        kinds.add(kind)
        for at in range(0, len(data), max(1, len(data) // 30)):
            with open(path, "r+b") as f:
                f.seek(at)
                f.write(bytes([data[at] ^ 4]))
            done = ctl(None, "verify", copy)
            assert done.status == 1, (path, at, done)
            found = re.search(r"%s: byte (\d+): \S" % re.escape(path),
                done.out)
            assert found, (path, at, done)
            assert int(found.group(1)) <= at, (at, done)
            with open(path, "r+b") as f:
                f.write(data)
    assert {"seg", "snap", "db"} <= kinds, kinds


def test_what_cannot_be_looked_at():
    with tempfile.TemporaryDirectory() as temp:
        ctl(None, "verify", os.path.join(temp, "absent")).failed(
            "No such file or directory", status=2)
        ctl(None, "verify", temp).failed("is no state directory", status=2)
