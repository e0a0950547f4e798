"""A table of flats, in files and as a model of their prices."""

import numpy as np
import pandas as pd
import polars as pl
from command_line import ok


def flats(n=600, seed=0):
    """Numbers, categories, truth values, gaps, and columns that cannot be used."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "id": np.arange(n) + 7000,
            "area": random.lognormal(4.5, 0.4, n).round(1),
            "rooms": random.integers(1, 8, n),
            "town": random.choice(["Kiel", "Bonn", "Köln", "Zug, the city"], n, p=[0.5, 0.3, 0.195, 0.005]),
            "garden": random.random(n) < 0.4,
            "sold": pd.date_range("2020-01-01", periods=n, freq="D").strftime("%Y-%m-%d"),
            "note": [
                f"number {i} {j}" for i, j in zip(random.integers(0, n, n), random.integers(0, 9, n), strict=True)
            ],
            "zip": random.integers(10000, 10004, n),
            "country": "DE",
            "blank": None,
        }
    )
    worth = {"Kiel": 2.0, "Bonn": 3.0, "Köln": 3.5, "Zug, the city": 9.0}
    price = frame["area"] * frame["town"].map(worth) + 40 * frame["garden"] + random.normal(0, 10, n)
    frame["garden"] = frame["garden"].astype(object)
    for name, share in (("area", 0.05), ("town", 0.04), ("garden", 0.03)):
        frame.loc[random.random(n) < share, name] = None
    frame["price"] = price.round(1)
    frame.loc[[3, 50], "price"] = None
    return frame


def written(folder):
    """Write the flats as CSV, Parquet and Arrow, and a model of their prices to ``prices/``; give what is shown."""
    flats().to_csv(folder / "flats.csv", index=False)
    frame = pl.DataFrame({name: [None if pd.isna(v) else v for v in values] for name, values in flats().items()})
    frame.write_parquet(folder / "flats.parquet")
    frame.write_ipc(folder / "flats.arrow")
    return ok("train", folder / "flats.csv", "-o", folder / "prices", "--epochs", 40)
