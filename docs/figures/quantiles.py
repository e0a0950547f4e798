"""Draws what ``examples/quantile_regression.py`` draws."""

import runpy

import style


def main(folder=style.PICTURES):
    example = runpy.run_path(str(style.EXAMPLES / "quantile_regression.py"))
    network = example["train"](60, 0).network
    example["draw"](folder / "quantiles.png", network, *example["make_data"](4000, 1))


if __name__ == "__main__":
    main()
