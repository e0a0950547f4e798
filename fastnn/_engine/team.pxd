# A team of threads that runs one function together, and the barrier between its phases.

from cpython.pythread cimport PyThread_type_lock

from fastnn._engine.atomics cimport atomic_int

ctypedef void (*Body)(void* context, int thread, int n_threads) noexcept nogil

cdef enum:
    MAX_THREADS = 64

cdef struct Waiter:              # one a thread, each on cache lines of its own
    atomic_int asleep
    atomic_int runs              # runs of the team that this worker was given; it waits for the next
    PyThread_type_lock lock      # held, but for the moment between a wake and the waking
    char padding[112]

cdef struct TeamState:
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
    Waiter waiters[MAX_THREADS]

cdef class Team:
    cdef TeamState* state
    cdef object taken            # a lock: one run has the workers at a time

    cdef int add_lock(self, int thread) except -1
    cdef int start_workers(self, int n) except -1
    cdef int run(self, Body body, void* context, int n_threads) except -1

cdef Team shared_team()
cdef void barrier(TeamState* team, int thread, int n_threads) noexcept nogil
