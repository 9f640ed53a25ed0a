"""What a disk may hold after a loss of power, from the notes of recorder.c.

The rules are those that programs may rely on, not those of one file system:

  - fsync or fdatasync of a file makes last what was written into it before.
    It says nothing about the names of the file.
  - fsync of a directory makes last the names that were made in it, removed
    from it or moved into it before.
  - A rename is whole: the old name or the new one, never none or both.
  - All else may have reached the disk or not, in any order: each change of a
    name for itself, and each write in blocks of 4,096 or 512 bytes. A file
    that grew may have the length and not the data: it reads as zeros there.

A name whose file was never made lasting cannot have been moved, so a move is
lost with it. How much of that freedom is used is chosen by a seed: nothing of
what was not synced, all of it, the first part of it, or any of it.
"""

import os
import struct

HEAD = 16
ROOT = 0
MODES = ("none", "all", "first", "any")


def read_notes(path):
    """The notes: tuples of the words of the line, and the data."""
    notes = []
    with open(path, "rb") as f:
        used = struct.unpack("=Q", f.read(8))[0]
        f.seek(HEAD)
        data = f.read(used)
    at = 0
    while at < len(data):
        size, complete = struct.unpack_from("=II", data, at)
        assert complete == 1, "a note was not finished at %d" % at
        line, _, body = data[at + 8:at + size].partition(b"\n")
        what, _, rest = line.decode().partition(" ")
        assert what != "hole", "a call is not recorded: " + rest
        notes.append((what, rest, body))
        at += (size + 7) & ~7
    return notes


class File:
    """A file or directory, whatever names it has."""

    def __init__(self, is_dir=False):
        self.is_dir = is_dir
        self.changes = []   # (kind, offset, data) in their order
        self.lasting = 0    # how many of them are synced


class Name:
    """A change of names: (directory, name, file or None), one or two."""

    def __init__(self, where, changes):
        self.where = where  # the directory whose sync makes it last
        self.changes = changes
        self.lasting = False


class Disk:
    """All that was noted up to a moment."""

    def __init__(self, top):
        self.top = os.path.realpath(top)
        self.files = [File(is_dir=True)]
        self.names = []
        self.tree = {ROOT: {}}      # as the processes see it
        self.by_inode = {}

    # ---- the tree as it was

    def find(self, path):
        """The directory and last name of a path; None outside."""
        path = os.path.normpath(path)
        if path == self.top:
            return None, None
        if not path.startswith(self.top + "/"):
            return None, None
        parts = path[len(self.top) + 1:].split("/")
        at = ROOT
        for part in parts[:-1]:
            at = self.tree.get(at, {}).get(part)
            if at is None:
                return None, None
        return at, parts[-1]

    def change(self, where, changes):
        for directory, name, file in changes:
            if file is None:
                self.tree[directory].pop(name, None)
            else:
                self.tree[directory][name] = file
        self.names.append(Name(where, changes))

    def make(self, directory, name, is_dir):
        self.files.append(File(is_dir))
        number = len(self.files) - 1
        if is_dir:
            self.tree[number] = {}
        self.change(directory, [(directory, name, number)])
        return number

    # ---- notes

    def add(self, what, rest, data):
        if what == "open":
            inode, _, truncated, path = rest.split(" ", 3)
            self.opened(int(inode), int(truncated), path)
        elif what in ("write", "truncate", "grow"):
            inode, at = rest.split()
            number = self.by_inode.get(int(inode))
            if number is not None:
                self.files[number].changes.append((what, int(at), data))
        elif what == "sync":
            self.synced(self.by_inode.get(int(rest)))
        elif what == "mkdir":
            directory, name = self.find(rest)
            if directory is not None:
                self.make(directory, name, True)
        elif what == "unlink":
            directory, name = self.find(rest)
            if directory is not None:
                self.change(directory, [(directory, name, None)])
        elif what in ("rename", "link"):
            self.moved(what, *rest.split("\t"))
        else:
            assert what == "ack", what

    def opened(self, inode, truncated, path):
        self.by_inode.pop(inode, None)
        if os.path.normpath(path) == self.top:
            self.by_inode[inode] = ROOT
            return
        directory, name = self.find(path)
        if directory is None:
            return
        number = self.tree[directory].get(name)
        if number is None:
            number = self.make(directory, name, False)
        self.by_inode[inode] = number
        if truncated:
            self.files[number].changes.append(("truncate", 0, b""))

    def synced(self, number):
        if number is None:
            return
        file = self.files[number]
        file.lasting = len(file.changes)
        if file.is_dir:
            for name in self.names:
                if name.where == number:
                    name.lasting = True

    def moved(self, what, old, new):
        a, old_name = self.find(old)
        b, new_name = self.find(new)
        assert a is not None and b is not None, (old, new)
        number = self.tree[a][old_name]
        changes = [(b, new_name, number)]
        if what == "rename":
            changes.insert(0, (a, old_name, None))
        self.change(b, changes)

    # ---- after the loss

    def lose_names(self, rng, mode):
        """The tree that the disk has."""
        tree = {}
        loose = [n for n in self.names if not n.lasting]
        count = rng.randint(0, len(loose))
        kept = {"none": [], "all": loose, "first": loose[:count],
            "any": [n for n in loose if rng.random() < 0.5]}[mode]
        kept = set(map(id, kept))
        for name in self.names:
            if not name.lasting:
                if id(name) not in kept:
                    continue
                first = name.changes[0]
                if len(name.changes) == 2 and first[1] not in tree.get(
                        first[0], {}):
                    continue
            for directory, text, file in name.changes:
                if file is None:
                    tree.get(directory, {}).pop(text, None)
                else:
                    # A file has one name here: it moves, and is not copied.
                    tree.setdefault(directory, {})[text] = file
        return tree

    def lose_data(self, file, rng, mode):
        content = bytearray()
        loose = len(file.changes) - file.lasting
        first = rng.randint(0, loose)
        block = rng.choice((512, 4096))
        for i, (kind, at, data) in enumerate(file.changes):
            n = i - file.lasting
            torn = n >= 0 and mode == "any"
            if n >= 0 and (mode == "none" or mode == "first" and n > first):
                break
            if n >= 0 and mode == "first" and n == first:
                torn = True
            if kind == "write":
                write(content, at, data, block if torn else 0, rng)
            elif torn and rng.random() < 0.5:
                continue
            elif kind == "truncate" and at < len(content):
                del content[at:]
            elif at > len(content):
                content.extend(bytes(at - len(content)))
        return content

    def lose(self, path, rng):
        """Make in path what the disk has. Returns how it was chosen."""
        name_mode, data_mode = rng.choice(MODES), rng.choice(MODES)
        tree = self.lose_names(rng, name_mode)

        def build(number, where):
            os.makedirs(where, exist_ok=True)
            os.chmod(where, 0o700)
            for name, child in tree.get(number, {}).items():
                there = os.path.join(where, name)
                if self.files[child].is_dir:
                    build(child, there)
                    continue
                with open(there, "wb") as f:
                    f.write(self.lose_data(self.files[child], rng,
                        data_mode))
                os.chmod(there, 0o600)
        build(ROOT, path)
        return "names %s, data %s" % (name_mode, data_mode)


def write(content, at, data, block, rng):
    """Write it, or (block > 0) any of the blocks that it touches."""
    end = at + len(data)
    if block == 0:
        if len(content) < end:
            content.extend(bytes(end - len(content)))
        content[at:end] = data
        return
    if rng.random() < 0.5 and len(content) < end:
        content.extend(bytes(end - len(content)))
    while at < end:
        stop = min(end, (at // block + 1) * block)
        if rng.random() < 0.5:
            write(content, at, data[:stop - at], 0, rng)
        data, at = data[stop - at:], stop
