"""Draws what ``examples/pole.py`` draws."""

import runpy

import style


def main(folder=style.PICTURES):
    example = runpy.run_path(str(style.EXAMPLES / "pole.py"))
    _, lengths = example["train"](1024, 0)
    example["draw"](folder / "pole.png", lengths)


if __name__ == "__main__":
    main()
