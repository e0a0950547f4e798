"""Fuzzes one target guided by coverage; needs atheris, which is no dependency of the tests.

python -m fuzz.guided TARGET -max_total_time=300, in this folder's parent; what follows the target is for libFuzzer,
which keeps an input that breaks something in the working directory. Python code is instrumented, compiled code is not.
"""

import random
import sys
import tempfile
from pathlib import Path

import atheris


def guided(name: str, arguments: list[str], folder: Path) -> None:
    with atheris.instrument_imports(include=["fastnn", "safetensors"]):
        import fastnn.onnx
        import fastnn.plot
        import fastnn.reproduction  # noqa: F401
        from fuzz.targets import TARGETS, use
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
        guided(sys.argv[1], sys.argv[2:], Path(temporary))
