"""The compiled kernels as functions, for the tests of each: see `fastnn._verify.harness`."""

import fastnn
from fastnn._verify.harness import CLASSES, KERNEL_STRUCTS, LISTS, STRUCTS, kernels, make, pack, unpack

__all__ = ["CLASSES", "KERNEL_STRUCTS", "LISTS", "STRUCTS", "fastnn", "kernels", "make", "pack", "unpack"]
