"""The compiled kernels as functions, for the tests of each: see `fastnn._verify.harness`."""

import fastnn
from fastnn._verify.harness import CLASSES, ENUMS, KERNEL_STRUCTS, STRUCTS, E, kernels, make, pack, unpack

__all__ = ["CLASSES", "ENUMS", "KERNEL_STRUCTS", "STRUCTS", "E", "fastnn", "kernels", "make", "pack", "unpack"]
