"""A team: worker threads that run one function together, and the barrier between its phases.

The workers are Python threads that never come back from a loop without the GIL. A worker that waits spins for some
microseconds, since the next phase usually follows at once, and then sleeps on a lock of the Python runtime, so that an
idle team costs nothing and a busy machine gets its core back. Trainings and predictions share one team, used by one run
at a time: a run that finds it taken gets no workers and computes alone, with the same bits.
"""

import _thread
import os

from cpython.mem cimport PyMem_RawCalloc
from cpython.pythread cimport (
    NOWAIT_LOCK, WAIT_LOCK, PyThread_acquire_lock, PyThread_allocate_lock, PyThread_release_lock
)

from fastnn._engine.atomics cimport atomic_exchange, atomic_fetch_add, atomic_int, atomic_load, atomic_store

cdef extern from "simd.h" nogil:
    void cpu_relax() noexcept
    unsigned long long fp_environment_enter() noexcept
    void fp_environment_leave(unsigned long long old) noexcept

cdef enum:
    SPINS = 4000                 # of some tens of nanoseconds each, before a wait sleeps


cdef void wait_for_change(TeamState* team, atomic_int* value, int old, int thread) noexcept nogil:
    """Return once *value is no longer old; whoever changes it calls wake after."""
    cdef int _spin
    for _spin in range(SPINS):
        if atomic_load(value) != old:
            return
        cpu_relax()
    while True:
        atomic_store(&team.waiters[thread].asleep, 1)
        if atomic_load(value) != old and atomic_exchange(&team.waiters[thread].asleep, 0):
            return                                   # nobody has woken or will wake this thread
        PyThread_acquire_lock(team.waiters[thread].lock, WAIT_LOCK)
        if atomic_load(value) != old:
            return


cdef void wake(TeamState* team, int thread) noexcept nogil:
    if atomic_exchange(&team.waiters[thread].asleep, 0):
        PyThread_release_lock(team.waiters[thread].lock)


cdef void barrier(TeamState* team, int thread, int n_threads) noexcept nogil:
    """Return once all n_threads threads of the run have called it."""
    cdef int phase, other
    if n_threads == 1:
        return
    phase = atomic_load(&team.phase)
    if atomic_fetch_add(&team.arrived, 1) == n_threads - 1:
        atomic_store(&team.arrived, 0)
        atomic_store(&team.phase, phase + 1)
        for other in range(n_threads):
            wake(team, other)
    else:
        wait_for_change(team, &team.phase, phase, thread)


cdef void work(TeamState* team, int thread) noexcept nogil:
    cdef int runs = 0
    while True:
        wait_for_change(team, &team.waiters[thread].runs, runs, thread)
        runs += 1
        perform(team, thread)
        atomic_fetch_add(&team.finished, 1)
        wake(team, 0)


cdef void perform(TeamState* team, int thread) noexcept nogil:
    """Do the caller's or a worker's part of a run, in the floating-point environment that the numerics assume."""
    cdef unsigned long long environment = fp_environment_enter()
    team.body(team.context, thread, team.n_threads)
    fp_environment_leave(environment)


def _worker(Team team, int thread):
    cdef TeamState* state = team.state
    with nogil:
        work(state, thread)


cdef int run_alone(Body body, void* context) except -1:
    cdef unsigned long long environment
    with nogil:
        environment = fp_environment_enter()
        body(context, 0, 1)
        fp_environment_leave(environment)
    return 1


cdef class Team:
    """Worker threads, started when they are first needed, that last as long as the process."""

    def __cinit__(self):
        # Never freed: the workers wait in it until the process ends.
        self.state = <TeamState*> PyMem_RawCalloc(1, sizeof(TeamState))
        if self.state == NULL:
            raise MemoryError("no memory for a team of threads")
        self.taken = _thread.allocate_lock()
        self.add_lock(0)
        _teams.append(self)

    cdef int add_lock(self, int thread) except -1:
        cdef Waiter* waiter = &self.state.waiters[thread]
        waiter.lock = PyThread_allocate_lock()
        if waiter.lock == NULL:
            raise MemoryError("no lock for a thread")
        PyThread_acquire_lock(waiter.lock, NOWAIT_LOCK)
        return 0

    cdef int start_workers(self, int n) except -1:
        cdef int thread
        while self.state.n_workers < n:
            thread = self.state.n_workers + 1
            self.add_lock(thread)
            atomic_store(&self.state.waiters[thread].runs, 0)
            _thread.start_new_thread(_worker, (self, thread))
            self.state.n_workers = thread
        return 0

    cdef int run(self, Body body, void* context, int n_threads) except -1:
        """Run body(context, thread, n) on n threads, this one among them, and return n: n_threads, or 1 if the team
        is taken. So what a thread does must follow from the n it is given.
        """
        cdef int thread, finished
        cdef TeamState* state = self.state
        if n_threads == 1 or not self.taken.acquire(False):
            return run_alone(body, context)
        try:
            self.start_workers(n_threads - 1)
            state.body, state.context, state.n_threads = body, context, n_threads
            with nogil:
                atomic_store(&state.finished, 0)
                for thread in range(1, n_threads):
                    atomic_fetch_add(&state.waiters[thread].runs, 1)
                    wake(state, thread)
                perform(state, 0)
                finished = atomic_load(&state.finished)
                while finished < n_threads - 1:
                    wait_for_change(state, &state.finished, finished, 0)
                    finished = atomic_load(&state.finished)
        finally:
            self.taken.release()
        return n_threads

    def acquire(self):
        """Take the workers away from runs, for a test of what those then do; return whether they were there."""
        return self.taken.acquire(False)

    def release(self):
        """Give the workers back."""
        self.taken.release()

    def forget_workers(self):
        """Start anew in a forked child, which has none of its parent's threads."""
        cdef int thread
        self.taken = _thread.allocate_lock()
        self.state.n_workers = 0
        atomic_store(&self.state.arrived, 0)
        for thread in range(MAX_THREADS):
            atomic_store(&self.state.waiters[thread].asleep, 0)
        self.add_lock(0)


cdef Team shared_team():
    """Return the team that trainings and predictions share."""
    return _shared


def team():
    """Return the team that trainings and predictions share, for tests."""
    return _shared


def _forget_workers():
    for each in _teams:
        each.forget_workers()


_teams = []
cdef Team _shared = Team()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_workers)
