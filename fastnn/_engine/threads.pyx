"""The team: worker threads that run one function together, and the barrier between its phases.

The workers are Python threads that never come back from a loop without the GIL. A worker that waits spins for some
microseconds, since the next phase usually follows at once, and then sleeps on a lock of the Python runtime, so that an
idle team costs nothing and a busy machine gets its core back. There is one team a process, used by one run at a time:
a second run that finds it taken gets no workers and computes alone, with the same bits.
"""

import _thread
import os

from cpython.pythread cimport (
    NOWAIT_LOCK, WAIT_LOCK, PyThread_acquire_lock, PyThread_allocate_lock, PyThread_release_lock, PyThread_type_lock
)

from fastnn._engine.atomics cimport atomic_exchange, atomic_fetch_add, atomic_int, atomic_load, atomic_store

cdef extern from "simd.h" nogil:
    void cpu_relax() noexcept
    unsigned long long fp_environment_enter() noexcept
    void fp_environment_leave(unsigned long long old) noexcept

cdef enum:
    MAX_THREADS = 64
    SPINS = 4000                 # of some tens of nanoseconds each, before a wait sleeps

cdef struct Waiter:              # one a thread, each on cache lines of its own
    atomic_int asleep
    atomic_int runs              # started on this worker; it waits for the next
    PyThread_type_lock lock      # held, but for the moment between a wake and the waking
    char padding[112]

cdef struct Team:
    Body body
    void* context
    int n_threads                # in the run under way, the caller among them
    int n_workers                # started in this process
    char padding0[104]
    atomic_int finished          # workers that have done their part of the run
    char padding1[124]
    atomic_int arrived           # at the barrier
    char padding2[124]
    atomic_int phase             # rises when all have arrived
    char padding3[124]

cdef Team team
cdef Waiter waiters[MAX_THREADS]
cdef int num_threads = 1
cdef bint insisting = False
_taken = _thread.allocate_lock()


cdef void wait_for_change(atomic_int* value, int old, int thread) noexcept nogil:
    """Returns once *value is no longer old; whoever changes it calls wake after."""
    cdef int _spin
    for _spin in range(SPINS):
        if atomic_load(value) != old:
            return
        cpu_relax()
    while True:
        atomic_store(&waiters[thread].asleep, 1)
        if atomic_load(value) != old and atomic_exchange(&waiters[thread].asleep, 0):
            return                                   # nobody has woken or will wake this thread
        PyThread_acquire_lock(waiters[thread].lock, WAIT_LOCK)
        if atomic_load(value) != old:
            return


cdef void wake(int thread) noexcept nogil:
    if atomic_exchange(&waiters[thread].asleep, 0):
        PyThread_release_lock(waiters[thread].lock)


cdef void barrier(int thread, int n_threads) noexcept nogil:
    """Returns once all n_threads threads of the run have called it."""
    cdef int phase, other
    if n_threads == 1:
        return
    phase = atomic_load(&team.phase)
    if atomic_fetch_add(&team.arrived, 1) == n_threads - 1:
        atomic_store(&team.arrived, 0)
        atomic_store(&team.phase, phase + 1)
        for other in range(n_threads):
            wake(other)
    else:
        wait_for_change(&team.phase, phase, thread)


cdef void work(int thread) noexcept nogil:
    cdef int runs = 0
    while True:
        wait_for_change(&waiters[thread].runs, runs, thread)
        runs += 1
        perform(thread)
        atomic_fetch_add(&team.finished, 1)
        wake(0)


cdef void perform(int thread) noexcept nogil:
    """The caller's or a worker's part of a run, in the floating-point environment that the numerics assume."""
    cdef unsigned long long environment = fp_environment_enter()
    team.body(team.context, thread, team.n_threads)
    fp_environment_leave(environment)


def _worker(int thread):
    with nogil:
        work(thread)


cdef int add_lock(int thread) except -1:
    waiters[thread].lock = PyThread_allocate_lock()
    if waiters[thread].lock == NULL:
        raise MemoryError("no lock for a thread")
    PyThread_acquire_lock(waiters[thread].lock, NOWAIT_LOCK)
    return 0


cdef int start_workers(int n) except -1:
    cdef int thread
    while team.n_workers < n:
        thread = team.n_workers + 1
        add_lock(thread)
        atomic_store(&waiters[thread].runs, 0)
        _thread.start_new_thread(_worker, (thread,))
        team.n_workers = thread
    return 0


cdef int run_alone(Body body, void* context) except -1:
    cdef unsigned long long environment
    with nogil:
        environment = fp_environment_enter()
        body(context, 0, 1)
        fp_environment_leave(environment)
    return 1


cdef int run_team(Body body, void* context, int n_threads) except -1:
    """Runs body(context, thread, n) on n threads, this one among them, and returns n: n_threads, or 1 if the team is
    taken. So what a thread does must follow from the n it is given.
    """
    cdef int thread, finished
    if n_threads == 1 or not _taken.acquire(False):
        return run_alone(body, context)
    try:
        start_workers(n_threads - 1)
        team.body, team.context, team.n_threads = body, context, n_threads
        with nogil:
            atomic_store(&team.finished, 0)
            for thread in range(1, n_threads):
                atomic_fetch_add(&waiters[thread].runs, 1)
                wake(thread)
            perform(0)
            finished = atomic_load(&team.finished)
            while finished < n_threads - 1:
                wait_for_change(&team.finished, finished, 0)
                finished = atomic_load(&team.finished)
    finally:
        _taken.release()
    return n_threads


def _forget_workers():
    """A forked child has none of its parent's threads."""
    global _taken
    cdef int thread
    _taken = _thread.allocate_lock()
    team.n_workers = 0
    atomic_store(&team.arrived, 0)
    for thread in range(MAX_THREADS):
        atomic_store(&waiters[thread].asleep, 0)
    add_lock(0)


cdef bint insists() noexcept:
    return insisting


def insist(bint wanted):
    """Whether a network trains on as many threads as its ``threads`` says even if fewer are faster; returns what was.

    For tests and ``fastnn verify``, which are to show that the bits do not depend on it.
    """
    global insisting
    before, insisting = insisting, wanted
    return before


cpdef int get_num_threads() noexcept:
    """The most threads that a network uses where its own ``threads`` says ``"auto"``."""
    return num_threads


def set_num_threads(n):
    """Sets the most threads that a network uses where its own ``threads`` says ``"auto"``.

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
    """``n`` as a number of threads, or a ValueError that names the argument."""
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
add_lock(0)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_workers)
