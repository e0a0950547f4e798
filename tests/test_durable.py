"""Replacing files: the old one or the whole new one, whatever fails."""

import errno
import io
import os
import subprocess
import sys
import time

import pytest

from fastnn._storage import durable

OLD, NEW = b"old" * 100, b"new" * 100_000


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(OLD)
    return file


class Failing:
    """A function of the system that fails the first so many times, and counts its calls."""

    def __init__(self, function, times):
        self.function, self.times, self.calls = function, times, 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        if self.calls <= self.times:
            raise OSError(errno.EIO, "Input/output error")
        return self.function(*args, **kwargs)


def only(path):
    return os.listdir(path.parent) == [path.name]


def test_replacing(path):
    durable.replace(path, NEW)
    assert path.read_bytes() == NEW
    assert only(path)


def test_file_and_folder_are_brought_onto_the_disk(path, monkeypatch):
    events = []
    for name in ("fsync", "replace"):
        function = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *args, name=name, function=function: (events.append((name, args)), function(*args))[1]
        )
    kinds = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (kinds.append(os.fstat(fd).st_mode & 0o170000), fsync(fd))[1])
    durable.replace(path, NEW)
    assert [name for name, _ in events] == ["fsync", "replace", "fsync"]
    assert kinds == [0o100000, 0o040000], "first the file, then the folder"


def test_a_file_is_written_anew_after_a_failed_fsync(path, monkeypatch):
    failing = Failing(os.fsync, 1)
    monkeypatch.setattr(os, "fsync", failing)
    opened = []
    original = open
    monkeypatch.setattr("builtins.open", lambda name, *args: (opened.append(name), original(name, *args))[1])
    durable.replace(path, NEW)
    assert len(opened) == 2, "nothing is known of the pages of the first file"
    assert failing.calls == 3
    assert path.read_bytes() == NEW
    assert only(path)


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file(path, monkeypatch, name):
    monkeypatch.setattr(os, name, Failing(getattr(os, name), 10))
    with pytest.raises(OSError, match="Input/output error"):
        durable.replace(path, NEW)
    assert path.read_bytes() == OLD
    assert only(path)


@pytest.mark.parametrize(("number", "tells"), [(errno.EIO, True), (errno.EINVAL, False), (errno.ENOTSUP, False)])
def test_a_folder_that_cannot_be_synced(path, monkeypatch, number, tells):
    fsync = os.fsync

    def fail_for_folders(descriptor):
        if os.fstat(descriptor).st_mode & 0o170000 == 0o040000:
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_for_folders)
    if tells:
        with pytest.raises(OSError, match="Input/output error"):
            durable.replace(path, NEW)
    else:
        durable.replace(path, NEW)
    assert path.read_bytes() == NEW


def test_a_disk_that_is_full_in_the_middle_of_a_write(path):
    """The limit on a file's size makes the system write a part and then fail, as a full disk does."""
    code = """
import resource, sys
from fastnn._storage import durable
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    durable.replace(sys.argv[1], b"new" * 100_000)
except OSError as error:
    print(error.errno)
"""
    found = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == str(errno.EFBIG)
    assert path.read_bytes() == OLD
    assert only(path)


class ShortWriter(io.FileIO):
    """Takes a few bytes of each write, as a system may."""

    def write(self, content):
        return super().write(bytes(content[:1000]))


def test_short_writes_are_gone_on_with(path, monkeypatch):
    def short_open(name, mode):
        assert mode == "xb"
        return io.BufferedWriter(ShortWriter(name, mode))

    monkeypatch.setattr(durable, "open", short_open, raising=False)
    durable.replace(path, NEW * 10)
    assert path.read_bytes() == NEW * 10
    assert only(path)


def test_interruption_leaves_the_old_file(path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        durable.replace(path, NEW)
    assert path.read_bytes() == OLD
    assert only(path)


def test_the_previous_generation(path):
    durable.replace(path, NEW, keep_previous=True)
    durable.replace(path, b"newest", keep_previous=True)
    assert path.read_bytes() == b"newest"
    assert (path.parent / "file.previous").read_bytes() == NEW
    assert len(os.listdir(path.parent)) == 2


def test_the_previous_generation_without_links(path, monkeypatch):
    monkeypatch.setattr(os, "link", Failing(os.link, 10))
    durable.replace(path, NEW, keep_previous=True)
    assert path.read_bytes() == NEW
    assert (path.parent / "file.previous").read_bytes() == OLD


def test_the_first_file_has_no_previous_generation(tmp_path):
    durable.replace(tmp_path / "file", NEW, keep_previous=True)
    assert os.listdir(tmp_path) == ["file"]


def test_a_link_stays_one(path):
    link = path.parent / "link"
    link.symlink_to(path)
    durable.replace(link, NEW)
    assert link.is_symlink()
    assert path.read_bytes() == NEW


def test_permissions_stay(path):
    path.chmod(0o640)
    durable.replace(path, NEW)
    assert path.stat().st_mode & 0o777 == 0o640


def test_the_longest_name(tmp_path):
    name = "n" * 255
    durable.replace(tmp_path / name, NEW)
    assert os.listdir(tmp_path) == [name]


def test_leftovers_of_dead_processes_are_removed(path):
    old, fresh, other = (path.parent / name for name in (".file.0.part", ".file.1.part", ".filed.0.part"))
    for part in (old, fresh, other):
        part.write_bytes(b"")
    long_ago = time.time() - 2 * durable.LEFTOVER_SECONDS
    for part in (old, other):
        os.utime(part, (long_ago, long_ago))
    durable.remove_leftovers(path)
    assert sorted(os.listdir(path.parent)) == sorted([".file.1.part", ".filed.0.part", "file"])


def test_replacing_in_a_with_statement(path):
    with durable.replacing(path) as part, open(part, "wb") as file:
        file.write(NEW)
        assert path.read_bytes() == OLD
    assert path.read_bytes() == NEW
    assert only(path)
    with pytest.raises(RuntimeError, match="half"):
        _half_written(path)
    assert path.read_bytes() == NEW
    assert only(path)


def _half_written(path):
    with durable.replacing(path) as part, open(part, "wb") as file:
        file.write(OLD)
        raise RuntimeError("half written")
