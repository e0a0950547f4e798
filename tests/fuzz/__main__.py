"""Fuzzes one target from a seeded generator: ``python -m fuzz TARGET NUMBER [SEED]``, in this folder's parent.

`fuzz.guided` lets the coverage of the code choose what to go on from.
"""

import json
import random
import sys
import tempfile
from pathlib import Path

from fuzz.targets import TARGETS, use


def shake(name: str, number: int, folder: Path, seed: int = 0, most: int = 2) -> dict[str, int]:
    """So many inputs, each a seed changed one to ``most`` times in a row; how many were read and how many refused."""
    target, chance = TARGETS[name], random.Random(seed)
    use(folder)
    seeds, path = target.seeds(folder), folder / f"input{target.suffix}"
    counts = {"read": 0, "refused": 0}
    for _ in range(number):
        content = chance.choice(seeds)
        for _ in range(chance.randrange(1, most + 1)):
            content = target.change(content, chance)
        path.write_bytes(content)
        try:
            counts[target.run(path)] += 1
        except BaseException as error:
            error.add_note(f"input {sum(counts.values())} of {name}, seed {seed}: {content[:5000]!r}")
            raise
    return counts


if __name__ == "__main__":
    name, number, seed = [*sys.argv[1:], "0"][:3]
    with tempfile.TemporaryDirectory() as temporary:
        print(json.dumps(shake(name, int(number), Path(temporary), int(seed))))
