"""Fuzzes one target, guided by coverage; needs atheris.

python -m fuzz trainer -max_total_time=300, in this folder's parent. Without atheris, ``python -m fuzz trainer 10000``
makes so many inputs by a seeded generator; a second number is its seed.
"""

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


def guided(name: str, arguments: list[str], folder: Path) -> None:
    import atheris

    with atheris.instrument_imports(include=["fastnn", "safetensors", "onnx"]):
        import fastnn.onnx
        import fastnn.plot
        import fastnn.tables  # noqa: F401
    target = TARGETS[name]
    use(folder)
    corpus, path = folder / "corpus", folder / f"input{target.suffix}"
    corpus.mkdir()
    for number, content in enumerate(target.seeds(folder)):
        (corpus / str(number)).write_bytes(content)

    def run(content: bytes) -> None:
        path.write_bytes(content)
        target.run(path)

    def change(content: bytes, most: int, seed: int) -> bytes:
        chance = random.Random(seed)
        return (target.change(content, chance) if chance.random() < 0.9 else atheris.Mutate(content, most))[:most]

    options = ["-timeout=20", "-rss_limit_mb=3000", "-max_len=100000", *arguments]
    atheris.Setup([sys.argv[0], *options, str(corpus)], run, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        if sys.argv[2:] and sys.argv[2].isdecimal():
            print(shake(sys.argv[1], int(sys.argv[2]), Path(temporary), seed=int((sys.argv[3:] or ["0"])[0])))
        else:
            guided(sys.argv[1], sys.argv[2:], Path(temporary))
