"""Draws three frames of the animation that ``examples/spirals.py`` writes, side by side."""

import runpy
import tempfile
from pathlib import Path

import style
from PIL import Image

FRAMES = (0, 10, 40)


def main(folder=style.PICTURES):
    example = runpy.run_path(str(style.EXAMPLES / "spirals.py"))
    X, y = example["make_spirals"](0)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "spirals.gif"
        example["animate"](path, example["make_trainer"](0), X, y, epochs=200)
        with Image.open(path) as animation:
            frames = []
            for number in FRAMES:
                animation.seek(number)
                frames.append(animation.convert("RGB"))
    width, height = frames[0].size
    side_by_side = Image.new("RGB", (width * len(frames), height), "white")
    for number, frame in enumerate(frames):
        side_by_side.paste(frame, (width * number, 0))
    side_by_side.quantize(128).save(folder / "spiral_frames.png", optimize=True)


if __name__ == "__main__":
    main()
