"""A disk that is full, or read-only: an OSError that says so, the file that was there stays whole, the run can go on.

python -m faults.full_disk 200, in this folder's parent; needs the right to mount a tmpfs, or says that it has not
"""

import contextlib
import errno
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import fastnn as fn
from fastnn import records
from faults import jobs

SIZE = 128 * 1024


def faults(folder: Path, times: int, seed: int = 0) -> Counter:
    """Fills the folder's disk so many times to some random place and saves there; then makes it read-only.

    Counts what came of it.
    """
    chance, counts = random.Random(seed), Counter()
    expected, unbroken = jobs.finish(jobs.new_trainer()), jobs.new_trainer()
    jobs.finish(unbroken)
    X, y = jobs.data()
    record = records.run_record(unbroken, X, y)
    older = jobs.new_trainer().network
    saves = {
        "network": lambda path: unbroken.network.save(path),
        "trainer": lambda path: unbroken.save(path),
        "trainer, generation before kept": lambda path: unbroken.save(path, keep_previous=True),
        "record": lambda path: records.write(path, record),
    }
    for _ in range(times):
        for name, save in saves.items():
            path = folder / "file"
            older.save(path)
            with _filled(folder, chance.randrange(0, 24 * 1024)):
                counts[f"{name}: {_saved(save, path, older)}"] += 1
            save(path)  # there is room again
            for file in folder.iterdir():
                file.unlink()
        counts[f"run with checkpoints: {_trained(folder, expected, chance)}"] += 1
    path = folder / "file"
    older.save(path)
    with _read_only(folder):
        for name, save in saves.items():
            counts[f"{name}, read-only: {_saved(save, path, older)}"] += 1
    return counts


@contextlib.contextmanager
def _read_only(folder):
    subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", folder], check=True)


@contextlib.contextmanager
def _filled(folder, free):
    """A file takes all room but so many bytes."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as file:
        room = os.statvfs(folder)
        file.write(bytes(max(0, room.f_bavail * room.f_frsize - free)))
    try:
        yield
    finally:
        filler.unlink()


def _saved(save, path, older):
    before = path.read_bytes()
    found = _refusal(lambda: save(path))
    if found is not None:
        assert str(path) in str(found), f"the error does not name the file: {found}"
        assert path.read_bytes() == before
        assert fn.Network.load(path) == older
    left = {file.name for file in path.parent.iterdir()} - {"file", "file.previous", "filler"}
    assert not left, f"left behind: {left}"
    return "saved" if found is None else "refused, old file whole"


def _refusal(do):
    """Whether the disk was full or read-only: the error, which has to say so."""
    try:
        do()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EROFS):
            return error
        raise
    return None


def _trained(folder, expected, chance):
    """A run whose disk is full from some epoch on, and then has room again."""
    path, trainer = folder / "run", jobs.new_trainer()
    X, y = jobs.data()
    checkpoint = fn.Checkpoint(path, steps=3)
    trainer.fit(X, y, epochs=2, validation_fraction=0.2, callbacks=checkpoint)
    with _filled(folder, chance.randrange(0, 16 * 1024)):
        found = _refusal(lambda: jobs.finish(trainer, checkpoint))
        resumed = fn.Trainer.load(path)
    assert resumed.epoch >= 2
    for going_on in (trainer, resumed):
        assert jobs.finish(going_on, fn.Checkpoint(path)) == expected, "other bits after a full disk"
    for file in folder.iterdir():
        file.unlink()
    return f"{'saved' if found is None else 'stopped'}, went on to the same bits"


@contextlib.contextmanager
def small_disk():
    """A folder on a tmpfs of its own; or the reason why there can be none."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder]
        try:
            mounted = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError as error:
            yield None, f"no mount: {error}"
            return
        if mounted.returncode != 0:
            yield None, mounted.stderr.strip() or "mount failed"
            return
        try:
            yield Path(folder), ""
        finally:
            subprocess.run(["umount", folder], check=True)


if __name__ == "__main__":
    with small_disk() as (disk, why):
        print(json.dumps({"skipped": why} if disk is None else faults(disk, int(sys.argv[1]))))
