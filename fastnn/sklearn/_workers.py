"""Worker processes, of which there are as many as cores: a network in one takes one thread, unless told otherwise."""

from __future__ import annotations

import multiprocessing
import os

import fastnn

_default = fastnn.get_num_threads()


def limit_threads() -> None:
    """Use one thread in a process of a pool (joblib's, multiprocessing's), if nobody has chosen a number.

    Who chooses does so by ``FASTNN_NUM_THREADS``, `fastnn.set_num_threads` or the parameter ``threads``.
    """
    is_worker = multiprocessing.parent_process() is not None
    if is_worker and not os.environ.get("FASTNN_NUM_THREADS") and fastnn.get_num_threads() == _default:
        fastnn.set_num_threads(1)
