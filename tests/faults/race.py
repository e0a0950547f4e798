"""Two processes that save to one path while a third loads from it: every load gets one of the two, whole.

python -m faults.race 2000, in this folder's parent
"""

import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

import fastnn as fn


def race(folder: Path, saves: int) -> Counter:
    """Counts the loads by what they gave."""
    path = folder / "model.safetensors"
    networks = [
        fn.Network([fn.Input(30), fn.Dense(40 + number, "relu"), fn.Dense(3)], seed=number) for number in (0, 1)
    ]
    names = {network.digest(): f"loaded network {number}" for number, network in enumerate(networks)}
    networks[0].save(path)
    children = []
    for network in networks:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                for _ in range(saves):
                    network.save(path)
                status = 0
            finally:
                os._exit(status)
        children.append(child)
    counts = Counter()
    while children:
        counts[names[fn.Network.load(path).digest()]] += 1
        ended, status = os.waitpid(-1, os.WNOHANG)
        if ended:
            assert status == 0, "a save failed"
            children.remove(ended)
    assert [file.name for file in folder.iterdir()] == [path.name], "something was left behind"
    return counts


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(race(Path(folder), int(sys.argv[1]))))
