"""A network compiled for training: what `steps` runs on, allocated, filled in and kept between runs."""

import numpy as np

from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from fastnn._engine.atomics cimport atomic_exchange, atomic_load, atomic_store
from fastnn._engine.data cimport Data
from fastnn._engine.divergence cimport operation_of_outputs, operation_of_parameters
from fastnn._engine.evaluation cimport evaluate
from fastnn._engine.memory cimport PADDING, Arena, take
from fastnn._engine.layout cimport cut_batch, new_scratch, new_sortings, new_tapes, new_tasks, new_transposed
from fastnn._engine.model cimport WORTH_A_TRIAL, Model, choose_threads
from fastnn._engine.pace cimport Pace
from fastnn._engine.program cimport DENSE, LAYER_NORM, Operation
from fastnn._engine.registry cimport find_loss, find_optimizer, is_undone, set_activation
from fastnn._engine.rules cimport ADAGRAD_NUMBERS, ADAM_NUMBERS, NADAM_NUMBERS, PLAIN_NUMBERS
from fastnn._engine.steps cimport BLOCK, Progress, Run, Task, clock, run_steps, squared_weights
from fastnn._engine.threads cimport insists, run_team
from fastnn._kernels.table cimport real

from fastnn._engine import elementary
from fastnn._engine.environment import standard_environment
from fastnn._engine.steps import raise_pending

NUMBERS = {"plain": PLAIN_NUMBERS, "adam": ADAM_NUMBERS, "nadam": NADAM_NUMBERS, "adagrad": ADAGRAD_NUMBERS}


cdef ssize_t levels_of(ssize_t n) noexcept:
    """Levels of partial sums that the tree over n chunks needs."""
    cdef ssize_t levels = 0
    while n > 1 and (n - 1) >> levels:
        levels += 1
    return levels


cdef Arena enough(Arena arena, size_t size):
    """The arena, or a new one if it is smaller."""
    return arena if arena is not None and arena.size >= size else Arena(size)


cdef ssize_t MAX_BATCH = <ssize_t> 1 << 32      # rows: dropout's random numbers count them in 32 bits
cdef double ROW_OVERHEAD = 500       # multiply-adds in the time that a row takes whatever the network


class Diverged(FloatingPointError):
    """The loss, or a parameter, left the finite range at update ``step`` (counted from 1).

    ``operation`` is the first one whose output or parameter did; -1: the loss alone.
    """

    def __init__(self, step, what, operation):
        super().__init__(f"{what} is not finite at step {step}")
        self.step = step
        self.what = what
        self.operation = operation


cdef class Training:
    """Trains ``model``, whose parameters it changes in place.

    Parameters
    ----------
    model : Model
    loss : dict
        ``kind``, and where the loss has them ``parameter`` and ``quantiles``. If the network ends in what the loss
        undoes (softmax under cross-entropy, sigmoid under binary cross-entropy), the loss is computed from the values
        before.
    optimizer : dict
        ``kind``; ``states``, which of the three arrays of state it keeps; ``numbers``, how those of a step follow from
        the steps before ("plain", "adam", "nadam" or "adagrad"); ``keeps_without_gradient``, whether parameters and
        state keep their bits where the gradient is zero; and its hyperparameters.
    seed : int
        Of the dropout masks.
    threads : int
        At most; 0 chooses by the amount of work.
    """

    cdef Model model
    cdef Run c
    cdef Arena operations, tapes, losses, tasks, scratch, sortings, transposed, levels, parts, gradient_arena
    cdef list states
    cdef object quantiles, optimizer_description
    cdef ssize_t batch_capacity, tape_rows, n_tapes
    cdef int team_size           # that there is scratch for
    cdef bint has_inputs         # whether the tapes have room for them
    cdef ssize_t entries_capacity, n_sortings
    cdef ssize_t version         # of the model's parameters that the transposed weights were copied from
    cdef int threads
    cdef bint busy
    cdef Pace pace

    def __cinit__(self, Model model, loss, optimizer, seed=0, int threads=0):
        self.model = model
        self.threads = threads
        self.version = -1
        self.optimizer_description = dict(optimizer)
        self.copy_program()
        self.set_loss(**loss)
        self.c.seed = seed
        self.set_optimizer(**optimizer)
        self.c.parameters = model.parameters.base
        self.c.arena_size = model.parameters.size
        self.states = [Arena(model.parameters.size) if is_used else None for is_used in optimizer["states"]]
        for j in range(3):
            self.c.states[j] = (<Arena> self.states[j]).base if self.states[j] is not None else NULL
        self.reset_state(optimizer.get("initial_accumulator", 0.0))
        if self.c.hyperparameters.clip_norm < INFINITY:
            self.gradient_arena = Arena(model.parameters.size)
        self.transposed = new_transposed(&self.c)
        self.tasks = new_tasks(&self.c, model)
        self.c.row_work = 3 * model.multiply_adds() + ROW_OVERHEAD
        self.pace = Pace()

    # ------------------------------------------------------------------ set-up

    cdef int copy_program(self) except -1:
        """The model's operations, to be changed where training differs."""
        cdef ssize_t k, n = self.model.program.n_operations
        self.operations = Arena(n * sizeof(Operation))
        self.c.program = self.model.program
        self.c.program.operations = <Operation*> self.operations.base
        memcpy(self.c.program.operations, self.model.program.operations, n * sizeof(Operation))
        self.c.last = n
        for k in range(n - 1, -1, -1):
            if self.c.program.operations[k].kind == DENSE or self.c.program.operations[k].kind == LAYER_NORM:
                self.c.last = k
        return 0

    def set_loss(self, kind, double parameter=0.0, quantiles=None):
        cdef Operation* top = &self.c.program.operations[self.c.program.n_operations - 1]
        cdef const double[::1] view
        self.c.loss_kernel = find_loss(self.c.program.losses, kind)
        self.c.loss.n_outputs = self.model.n_outputs
        self.c.loss.parameter = parameter
        if quantiles is not None:
            self.quantiles = np.array(quantiles, dtype=np.float64)
            view = self.quantiles
            self.c.loss.quantiles, self.c.loss.n_quantiles = &view[0], len(view)
        if is_undone(self.c.loss_kernel, top):
            set_activation(top, self.c.program.activations, "identity")

    def set_optimizer(self, kind, states, numbers, keeps_without_gradient, double momentum=0, nesterov=False,
                      double beta1=0, double beta2=0, double epsilon=0, amsgrad=False, centered=False,
                      double momentum_decay=0, double learning_rate_decay=0, initial_accumulator=0, double l1=0,
                      double l2=0, double l2_total=0, double decoupled=0, decay_all=False, clip_value=None,
                      clip_norm=None):
        h = &self.c.hyperparameters
        self.c.optimizer = find_optimizer(self.c.program.optimizers, kind)
        if numbers not in NUMBERS:
            raise ValueError(f"unknown numbers {numbers!r} of an optimizer; the engine has {', '.join(NUMBERS)}")
        h.numbers, h.keeps_without_gradient = NUMBERS[numbers], keeps_without_gradient
        h.momentum, h.beta1, h.beta2, h.epsilon = momentum, beta1, beta2, epsilon
        h.nesterov, h.amsgrad, h.centered, h.decay_all = nesterov, amsgrad, centered, decay_all
        h.learning_rate_decay, h.weight_decay = learning_rate_decay, decoupled
        h.l1, h.l2, h.l2_total = l1, l2, l2_total
        h.clip_value = INFINITY if clip_value is None else clip_value
        h.clip_norm = INFINITY if clip_norm is None else clip_norm
        with standard_environment():
            h.momentum_decay_base = elementary.exp(momentum_decay * elementary.log(0.96))

    def reset_state(self, initial_accumulator):
        """The optimizer's state before the first step."""
        self.c.powers.beta1 = self.c.powers.beta2 = self.c.powers.momentum_decay = self.c.powers.momentum = 1
        if initial_accumulator:
            with standard_environment():
                for t in range(self.model.n_tensors):
                    self.model.panels(self.states[0], t)[...] = initial_accumulator

    cdef int refresh_transposed(self) except -1:
        """Copies the weights anew if somebody else has changed them."""
        cdef ssize_t t
        cdef Task* task
        cdef Operation* op
        if self.version == self.model.version:
            return 0
        for t in range(self.c.n_tasks):
            task = &self.c.tasks[t]
            op = &self.c.program.operations[task.operation]
            if task.part == BLOCK and self.c.transposed[task.operation] != NULL:
                self.c.program.dense.transpose(<const real*> op.weight, <real*> self.c.transposed[task.operation],
                                               op.n_in, op.n_out, task.row_panel, task.column_panel)
        self.version = self.model.version
        return 0

    # ----------------------------------------------------------------- buffers

    cdef int reserve(self, ssize_t batch, bint has_labels, ssize_t n_targets, int threads) except -1:
        """Buffers for batches of this many rows, and the chunks in which they are taken."""
        cdef ssize_t rows, n_chunks, n_levels, n_tapes
        cdef bint has_inputs = not self.c.sparse.is_direct
        cdef char* end
        if batch > MAX_BATCH:
            raise MemoryError(f"a batch must have at most {MAX_BATCH:,} rows; got {batch:,}")
        cut_batch(&self.c, batch, threads)
        rows = self.c.chunk | 1                     # odd: no stride between panels is a multiple of 4 KB
        n_tapes = threads if self.c.part else 1
        if rows > self.tape_rows or n_tapes > self.n_tapes or has_inputs != self.has_inputs:
            rows, n_tapes = max(rows, self.tape_rows), max(n_tapes, self.n_tapes)
            self.tapes = new_tapes(&self.c, rows, n_tapes)
            # Only once there is memory, for a run that there was none for may be followed by a smaller one.
            self.tape_rows, self.n_tapes, self.has_inputs = rows, n_tapes, has_inputs
        if batch > self.batch_capacity or n_targets != self.c.loss.n_targets:
            rows = max(batch, self.batch_capacity)
            self.losses = Arena(rows * (3 * sizeof(double) + sizeof(int64_t) + n_targets * self.c.program.item)
                                + 5 * PADDING)
            end = self.losses.base
            self.c.losses = <double*> take(&end, rows * sizeof(double))
            self.c.hits = <double*> take(&end, rows * sizeof(double))
            self.c.row_weights = <double*> take(&end, rows * sizeof(double))
            self.c.labels = <int64_t*> take(&end, rows * sizeof(int64_t))
            self.c.targets = take(&end, rows * n_targets * self.c.program.item)
            self.batch_capacity = rows
        self.c.loss.labels = self.c.labels if has_labels else NULL
        self.c.loss.targets = NULL if has_labels else <const real*> self.c.targets
        self.c.loss.n_targets = n_targets
        n_chunks = (batch + self.c.chunk - 1) // self.c.chunk
        n_levels = levels_of(n_chunks)
        self.c.levels_size = levels_of(self.c.part) * self.c.arena_size
        if self.c.part:
            n_levels = max(n_levels, threads * levels_of(self.c.part))
            self.parts = enough(self.parts, (n_chunks + self.c.part - 1) // self.c.part * self.c.arena_size)
            self.c.parts = self.parts.base
        self.levels = enough(self.levels, n_levels * self.c.arena_size)
        self.c.levels = self.levels.base
        return 0

    cdef int reserve_sortings(self, Data data, int threads) except -1:
        """Room for the entries of a chunk of sparse rows, whichever rows those are."""
        cdef ssize_t entries = data.sparse.most_entries(self.c.chunk), n_sortings
        if entries > self.entries_capacity or threads > self.n_sortings:
            entries, n_sortings = max(entries, self.entries_capacity), max(threads, self.n_sortings)
            self.sortings = new_sortings(&self.c, entries, n_sortings)
            self.entries_capacity, self.n_sortings = entries, n_sortings
        return 0

    # ------------------------------------------------------------------- runs

    cdef int begin(self, bint updates) except -1:
        """Says whether the steps are to update or to leave their gradient.

        Before anything else of a run is changed, or even looked at: until then another thread may be running.
        """
        if self.busy:
            raise RuntimeError("this trainer is already running in another thread")
        if not updates and self.gradient_arena is None:
            self.gradient_arena = Arena(self.c.arena_size)
        self.c.updates = updates
        whole = not updates or self.c.hyperparameters.clip_norm < INFINITY
        self.c.gradient = self.gradient_arena.base if whole else NULL
        return 0

    cdef int perform(self, Data data, ssize_t batch_size) except -1:
        """Steps through data from c.position on."""
        cdef ssize_t batch = min(batch_size, data.n), operation = -1
        self.busy = True
        try:
            threads = choose_threads(self.threads, self.c.row_work * batch, WORTH_A_TRIAL)
            self.c.sparse = data.sparse_input(&self.c.program)
            self.reserve(batch, data.has_labels, data.n_targets, threads)
            if self.c.sparse.is_direct:
                self.reserve_sortings(data, threads)
            self.refresh_transposed()
            self.c.x, self.c.x_row, self.c.x_column, self.c.n = data.x, data.x_row, data.x_column, data.n
            self.c.y, self.c.y_row, self.c.y_column = data.y, data.y_row, data.y_column
            self.c.weights, self.c.order, self.c.batch_size = data.weights, data.order, batch
            self.c.loss.weights = self.c.row_weights if data.weights != NULL else NULL
            self.c.rates_used = 0
            self.c.loss_diverged = False
            atomic_store(&self.c.abandoned, 0)
            atomic_store(&self.c.parameter_diverged, 0)
            self.c.now = clock()
            self.c.next_check = self.c.now + 0.05
            self.c.work_to_clock = 0
            self.run_teams(threads)
            if self.c.loss_diverged:
                operation = operation_of_outputs(&self.c)
            elif atomic_load(&self.c.parameter_diverged):
                operation = operation_of_parameters(&self.c)
            if self.c.updates:
                self.model.version += 1
                self.version = self.model.version
        finally:
            self.busy = False
        raise_pending()
        if self.c.loss_diverged:
            raise Diverged(self.steps + 1, "the loss", operation)
        if atomic_load(&self.c.parameter_diverged):
            raise Diverged(self.steps, "a parameter", operation)
        return 0

    cdef int run_teams(self, int threads) except -1:
        """Runs until there is reason to stop, on `threads` threads or, if that is faster, on one."""
        cdef double deadline = self.c.deadline, start
        cdef ssize_t position, rows
        cdef bint is_open = threads > 1 and not (self.threads and insists())
        while True:
            start = clock()
            position = self.c.progress.position
            n_threads = self.pace.choose(start, threads, self.c.batch_size) if is_open else threads
            self.c.deadline = min(deadline, self.pace.until) if is_open else deadline
            self.c.paused = False
            if n_threads > self.team_size:
                self.scratch = new_scratch(&self.c, n_threads)
                self.team_size = n_threads
            run_team(run_steps, &self.c, n_threads)
            rows = self.c.progress.position - position if self.c.updates else self.c.n
            if is_open and rows > 0:
                self.pace.record(clock() - start, rows)
            if self.done(deadline):
                return 0

    cdef bint done(self, double deadline) noexcept:
        """Whether the run is at its end, and not just at the end of a trial of a number of threads."""
        return (not self.c.updates or self.c.progress.position >= self.c.n or self.c.rates_used >= self.c.n_rates
                or atomic_load(&self.c.abandoned) or self.c.loss_diverged or atomic_load(&self.c.parameter_diverged)
                or atomic_load(&self.c.stop) or clock() >= deadline)

    def run(self, X, y, weights, order, ssize_t batch_size, const double[::1] learning_rates, double seconds):
        """Goes on from ``position`` to the end of the epoch, or the learning rates, or returns after about ``seconds``.

        Parameters
        ----------
        X : ndarray of shape (n, n_inputs), or SparseMatrix
            Of the model's dtype, any strides.
        y : ndarray
            int64 labels of shape (n,), or targets of shape (n, k) in the model's dtype; any strides.
        weights : ndarray of float64, shape (n,), or None
        order : ndarray of int64, shape (n,), or None
            A permutation.
        learning_rates : ndarray of float64
            Of the coming steps.

        Raises
        ------
        Diverged
            Before the update, if a batch's loss is not finite; after it, if a parameter would have left the finite
            range (and kept its value).
        """
        data = Data(X, y, weights, order)
        self.begin(True)
        if atomic_exchange(&self.c.stop, 0) or self.c.progress.position >= (<Data> data).n or len(learning_rates) == 0:
            return
        self.c.learning_rates, self.c.n_rates = &learning_rates[0], len(learning_rates)
        self.c.deadline = clock() + seconds
        self.perform(data, batch_size)
        atomic_store(&self.c.stop, 0)

    def step(self, X, y, weights, double learning_rate):
        """One update on one batch; returns its loss before the update."""
        cdef Progress progress
        data = Data(X, y, weights)
        self.begin(True)
        progress = self.c.progress
        self.c.learning_rates, self.c.n_rates = &learning_rate, 1
        self.c.deadline = 0
        self.c.progress.position = 0
        atomic_store(&self.c.stop, 0)
        try:
            self.perform(data, (<Data> data).n)
        finally:
            self.c.progress = progress
        if atomic_load(&self.c.abandoned):
            raise InterruptedError("interrupted before the step was done; nothing changed")
        return self.c.batch_loss

    def gradient(self, X, y, weights=None):
        """(loss, {(operation, kind): gradient}) of one batch, the penalties left out; nothing changes.

        Dropout masks are those of the coming step.
        """
        cdef Progress progress
        data = Data(X, y, weights)
        self.begin(False)
        progress = self.c.progress
        self.c.progress.position = 0
        try:
            self.perform(data, (<Data> data).n)
        finally:
            self.c.progress = progress
        return self.c.batch_loss, {
            (operation, kind): self.model.unpacked(self.model.panels(self.gradient_arena, t), t)
            for t, (operation, kind, _) in enumerate(self.model.tensors)
        }

    def evaluate(self, X, y, weights=None, out=None):
        """(mean loss, mean accuracy), dropout off; the network's outputs go to ``out`` (n, n_outputs), if given."""
        data = Data(X, y, weights)
        return evaluate(self.model, self.c.program, self.c.loss_kernel, self.c.loss, data, out, self.threads)

    def interrupt(self):
        """Makes the run under way, or else the next one, return as soon as it can."""
        atomic_store(&self.c.stop, 1)

    # ------------------------------------------------------------------- state

    @property
    def position(self):
        """Rows of the epoch that are done."""
        return self.c.progress.position

    @property
    def steps(self):
        """Updates done in all."""
        cdef long long steps = self.c.steps              # as what it is, an atomic number, it is none to Clang
        return steps

    @property
    def sums(self):
        """(loss, accuracy, sample weight), summed over the rows of the epoch that are done."""
        return self.c.progress.loss_sum, self.c.progress.hit_sum, self.c.progress.weight_sum

    @property
    def squared_weights(self):
        """The sum of the squares of the weights, biases and norms left out."""
        with standard_environment():
            return squared_weights(&self.c)

    def end_epoch(self):
        """Sets the position and the sums to 0."""
        self.c.progress.position = 0
        self.c.progress.loss_sum = self.c.progress.hit_sum = self.c.progress.weight_sum = 0

    def get_state(self):
        """Everything a later run needs beside the parameters: {name: array}."""
        state = {
            "counters": np.array([self.steps, self.c.progress.position], dtype=np.int64),
            "sums": np.array(self.sums, dtype=np.float64),
            "powers": np.array([self.c.powers.beta1, self.c.powers.beta2, self.c.powers.momentum_decay,
                                self.c.powers.momentum], dtype=np.float64),
        }
        for name, t, arena in self.state_tensors():
            state[name] = self.model.unpacked(self.model.panels(arena, t), t)
        return state

    def set_state(self, state):
        """Takes what ``get_state`` gave, of a training of the same network and optimizer."""
        cdef long long steps
        steps, self.c.progress.position = map(int, state["counters"])
        self.c.steps = steps
        self.c.progress.loss_sum, self.c.progress.hit_sum, self.c.progress.weight_sum = map(float, state["sums"])
        powers = &self.c.powers
        powers.beta1, powers.beta2, powers.momentum_decay, powers.momentum = map(float, state["powers"])
        for name, t, arena in self.state_tensors():
            self.model.pack(self.model.panels(arena, t), t, state[name])

    def state_tensors(self):
        """(name, position, arena) of every tensor that the optimizer keeps."""
        return [(f"{operation}.{kind}.state{j}", t, arena)
                for j, arena in enumerate(self.states) if arena is not None
                for t, (operation, kind, _) in enumerate(self.model.tensors)]
