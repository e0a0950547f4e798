"""How many threads networks may use."""

import os

from fastnn._engine.team cimport MAX_THREADS

cdef int num_threads = 1
cdef bint insisting = False


cdef bint insists() noexcept:
    return insisting


def insist(bint wanted):
    """Set whether networks train on as many threads as their ``threads`` says, faster or not; return what was.

    For tests and ``fastnn verify``, which are to show that the bits do not depend on it.
    """
    global insisting
    before, insisting = insisting, wanted
    return before


cpdef int get_num_threads() noexcept:
    """Return the most threads that a network uses where its own ``threads`` says ``"auto"``."""
    return num_threads


def set_num_threads(n):
    """Set the most threads that a network uses where its own ``threads`` says ``"auto"``.

    Results do not depend on it. Small networks use one thread however many they may use.

    Parameters
    ----------
    n : int
        From 1 to 64.

    Raises
    ------
    ValueError
        If ``n`` is no integer from 1 to 64.
    """
    global num_threads
    num_threads = checked_num_threads(n, "n")


def checked_num_threads(n, name):
    """Return ``n`` as a number of threads, or raise a ValueError that names the argument."""
    if isinstance(n, bool) or not hasattr(n, "__index__") or not 1 <= int(n) <= MAX_THREADS:
        raise ValueError(f"{name} must be an integer from 1 to {MAX_THREADS}; got {n!r}")
    return int(n)


def _default_num_threads():
    text = os.environ.get("FASTNN_NUM_THREADS", "").strip()
    if text:
        return checked_num_threads(int(text) if text.isdecimal() else text, "FASTNN_NUM_THREADS")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MAX_THREADS)


num_threads = _default_num_threads()
