"""Holds the elementary functions against MPFR (needs the extra ``dev``: gmpy2, SciPy).

    python tools/elementary_errors.py float32                all 2^32 arguments of each function: correctly rounded?
    python tools/elementary_errors.py float64                the largest error on ten million arguments of each
    python tools/elementary_errors.py float32 exp erf        of some functions only
    python tools/elementary_errors.py float32 --hard FOLDER  and write the arguments that MPFR decided to FOLDER
    python tools/elementary_errors.py float32 --among FOLDER those alone: a first look at a changed algorithm

float32: NumPy's and SciPy's functions, in double, are within BOUND of the true value; where all that is so near them
rounds to one float32, so does the true value. The few arguments whose values lie too close to a boundary between two
float32 are decided by MPFR. That the reference keeps to a small part of BOUND is checked on them and on a sample.

Prints rows of the tables in docs/numerics.md, and exits with status 1 if a result is not the correctly rounded one, or
an error is above one unit in the last place.
"""

import argparse
import concurrent.futures
import datetime
import hashlib
import os
import sys
from pathlib import Path

import gmpy2
import numpy as np
from scipy import special

from fastnn._engine import elementary

BOUND = 2.0**-43
TRUSTED = 2.0**-48  # the reference's largest error allowed where it is checked
BLOCK = 2**15  # arguments at once: what is made of them stays in the cache
TASK = 2**24  # arguments a process is given
SAMPLE = 200_000
POINTS = 10_000_000
EXACT = gmpy2.context(precision=200, emin=-(2**30), emax=2**30)
SINGLE, DOUBLE = gmpy2.ieee(32), gmpy2.ieee(64)

# A function: the reference in double, MPFR's, and the range whose interior the float64 sample is taken from.
FUNCTIONS = {
    "exp": (np.exp, gmpy2.exp, (-745.2, 709.8)),
    "expm1": (np.expm1, gmpy2.expm1, (-40.0, 709.8)),
    "log": (np.log, gmpy2.log, (0.0, 4.0)),
    "log1p": (np.log1p, gmpy2.log1p, (-1.0, 4.0)),
    "tanh": (np.tanh, gmpy2.tanh, (-20.0, 20.0)),
    "sigmoid": (special.expit, lambda x: 1 / (1 + gmpy2.exp(-x)), (-745.2, 40.0)),
    "erf": (special.erf, gmpy2.erf, (-6.0, 6.0)),
    "sin": (np.sin, gmpy2.sin, (-100.0, 100.0)),
    "cos": (np.cos, gmpy2.cos, (-100.0, 100.0)),
}


def exact(name, x):
    """Return the function's value to 200 bits."""
    with gmpy2.context(EXACT):
        return FUNCTIONS[name][1](gmpy2.mpfr(float(x)))


def rounded(name, x):
    """Return the float32 nearest to the function's value."""
    value = exact(name, x)
    with gmpy2.context(SINGLE):
        return np.float32(float(+value))


def same(a, b):
    return (a.view(np.uint32) == b.view(np.uint32)) | (np.isnan(a) & np.isnan(b))


def relative_error(name, x, reference):
    value = exact(name, x)
    if gmpy2.is_nan(value) or gmpy2.is_infinite(value) or value == 0:
        return 0.0
    with gmpy2.context(EXACT):
        return abs(float((gmpy2.mpfr(float(reference)) - value) / value))


def check_block(name, first):
    """Check arguments whose bits are first, first + 1, …; return those MPFR decided, the wrong ones, the results."""
    x = np.arange(first, first + BLOCK, dtype=np.uint64).astype(np.uint32).view(np.float32)
    y = getattr(elementary, name)(x)
    reference = FUNCTIONS[name][0](x.astype(np.float64))
    margin = np.abs(reference) * BOUND
    low, high = (reference - margin).astype(np.float32), (reference + margin).astype(np.float32)
    expected = reference.astype(np.float32)
    undecided = np.flatnonzero(~(same(low, high) | np.isinf(reference)))
    for i in undecided:
        if (error := relative_error(name, x[i], reference[i])) > TRUSTED:
            raise AssertionError(f"the reference for {name}({x[i]!r}) is off by {error}")
        expected[i] = rounded(name, x[i])
    wrong = x[~same(y, expected)]
    y[np.isnan(y)] = np.nan
    return x[undecided].tolist(), wrong.tolist(), y.astype("<f4").tobytes()


def check_task(name, first):
    """Check many blocks; return the same, with the digest of the results."""
    undecided, wrong, digest = [], [], hashlib.sha256()
    with np.errstate(all="ignore"):
        for start in range(first, first + TASK, BLOCK):
            found = check_block(name, start)
            undecided += found[0]
            wrong += found[1]
            digest.update(found[2])
    return undecided, wrong, digest.digest()


def check_sample(name):
    """Check the reference itself against MPFR."""
    bits = np.random.default_rng(1).integers(0, 2**32, SAMPLE, dtype=np.uint32)
    x = bits.view(np.float32)
    x = x[np.isfinite(x)]
    with np.errstate(all="ignore"):
        reference = FUNCTIONS[name][0](x.astype(np.float64))
    normal = np.isfinite(reference) & (np.abs(reference) > 2.0**-1022)
    return max(relative_error(name, a, b) for a, b in zip(x[normal], reference[normal], strict=True))


def check_among(name, folder):
    x = np.load(folder / f"{name}.npy")
    y = getattr(elementary, name)(x)
    wrong = x[~same(y, np.array([rounded(name, a) for a in x]))].tolist()
    print(f"{name}: {len(wrong)} of {len(x)} wrong")
    show(name, wrong)
    return not wrong


def show(name, wrong):
    for x in wrong[:20]:
        print(f"    {name}({x!r}) is {getattr(elementary, name)(np.float32(x))!r}, should be {rounded(name, x)!r}")


def check_float32(name, pool, folder):
    off = check_sample(name)
    if off > TRUSTED:
        raise AssertionError(f"the reference for {name} is off by {off}")
    undecided, wrong, digest = [], [], hashlib.sha256()
    starts = range(0, 2**32, TASK)
    for number, found in enumerate(pool.map(check_task, [name] * len(starts), starts)):
        undecided += found[0]
        wrong += found[1]
        digest.update(found[2])
        if sys.stderr.isatty():
            print(f"\r{name}: {100 * (number + 1) // len(starts)} %", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print("\r", end="", file=sys.stderr)
    count = 2**32 - len(wrong)
    print(f"| {name} | {count:,} of {2**32:,} | {len(undecided):,} | `{digest.hexdigest()[:16]}` |", flush=True)
    show(name, wrong)
    if folder:
        np.save(folder / f"{name}.npy", np.array(undecided, np.float32))
    return not wrong


def points(name):
    """Return points, half of them even over the range where the function changes most, half over all magnitudes."""
    low, high = FUNCTIONS[name][2]
    rng = np.random.default_rng(2)
    even = rng.uniform(low, high, POINTS // 2)
    bits = rng.integers(0, 2**64, POINTS - len(even), dtype=np.uint64)
    spread = bits.view(np.float64)
    near = np.ldexp(1 + rng.random(len(spread)), rng.integers(-64, 12, len(spread))) * np.where(bits & 1, 1, -1)
    spread = np.where(bits & 6 == 0, spread, near)  # a quarter over all of them, the others from 2^-64 to 2^12
    x = np.concatenate([even, spread])
    return x[np.isfinite(x) & ((x > 0) if name == "log" else (x > -1) if name == "log1p" else True)]


def largest_error(name, x):
    y = getattr(elementary, name)(x)
    worst, where = 0.0, 0.0
    with gmpy2.context(EXACT, precision=120):
        function = FUNCTIONS[name][1]
        for a, b in zip(x.tolist(), y.tolist(), strict=True):
            value = function(gmpy2.mpfr(a))
            if gmpy2.is_finite(value) and b - b == 0:
                unit = max(gmpy2.get_exp(value) - 53, -1074) if value else -1074
                error = float(gmpy2.mul_2exp(abs(value - b), -unit))
            else:
                error = 0.0 if float(value) == b else np.inf
            if error > worst:
                worst, where = error, a
    return worst, where


def check_float64(name, pool):
    x = points(name)
    parts = np.array_split(x, 64)
    worst, where = max(pool.map(largest_error, [name] * len(parts), parts))
    print(f"| {name} | {len(x):,} | {worst:.3f} | {float(where)!r} |", flush=True)
    return worst <= 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("dtype", choices=["float32", "float64"])
    parser.add_argument("functions", nargs="*", choices=[*FUNCTIONS, []])
    parser.add_argument("--hard", type=Path, metavar="FOLDER")
    parser.add_argument("--among", type=Path, metavar="FOLDER")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    options = parser.parse_args()
    print(datetime.date.today().isoformat())
    names = options.functions or list(FUNCTIONS)
    if options.among:
        return 0 if all([check_among(name, options.among) for name in names]) else 1
    with concurrent.futures.ProcessPoolExecutor(options.processes) as pool:
        if options.dtype == "float32":
            good = [check_float32(name, pool, options.hard) for name in names]
        else:
            good = [check_float64(name, pool) for name in names]
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
