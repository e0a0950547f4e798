"""Files cut short and with flipped bits: refused with an error that names the file, never loaded, never a crash.

python -m faults.damage 10000, in this folder's parent
"""

import json
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

import fastnn as fn
from faults import jobs


def damage(folder: Path, flips: int, cuts: int, seed: int = 0) -> Counter:
    """Cuts a network's and a trainer's file at every byte of the header and so many others, and flips so many bits."""
    chance, counts = random.Random(seed), Counter()
    trainer = jobs.new_trainer()
    jobs.finish(trainer)
    for kind, load in (("network", fn.Network.load), ("trainer", fn.Trainer.load)):
        path = folder / kind
        (trainer.network if kind == "network" else trainer).save(path)
        content = path.read_bytes()
        header = 8 + int.from_bytes(content[:8], "little")
        lengths = [*range(header + 1), *(chance.randrange(header, len(content)) for _ in range(cuts))]
        for length in lengths:
            counts[f"{kind} cut: {_outcome(load, path, content[:length])}"] += 1
        counts[f"{kind} longer: {_outcome(load, path, content + bytes(1))}"] += 1
        for _ in range(flips):
            bit = chance.randrange(8 * len(content))
            changed = bytearray(content)
            changed[bit // 8] ^= 1 << bit % 8
            counts[f"{kind} flipped: {_outcome(load, path, changed)}"] += 1
    return counts


def _outcome(load, path, content):
    path.write_bytes(content)
    try:
        load(path)
    except ValueError as error:
        return "refused" if str(path) in str(error) else f"refused without the file's name: {error}"
    return "loaded"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(damage(Path(folder), int(sys.argv[1]), int(sys.argv[1]) // 10)))
