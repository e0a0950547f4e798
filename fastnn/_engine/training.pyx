"""A network compiled for training: what `steps` runs on, allocated, filled in and kept between runs."""

import numpy as np

from libc.math cimport INFINITY
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from fastnn._engine.atomics cimport atomic_exchange, atomic_load, atomic_store
from fastnn._engine.backward cimport applies_relu
from fastnn._engine.data cimport Data
from fastnn._engine.evaluation cimport evaluate
from fastnn._engine.memory cimport Arena, take
from fastnn._engine.model cimport Model, Tensor, choose_threads
from fastnn._engine.pace cimport Pace
from fastnn._engine.program cimport ACTIVATION, DENSE, DROPOUT, LAYER_NORM, Operation, Program, Slot, panels_size
from fastnn._engine.rules cimport n_states
from fastnn._engine.steps cimport BIAS, BLOCK, GAIN, MAX_TEAM, SHARD, TILE_LEVELS, TILE_ROWS_MAX, NormBlock, Run, Task, clock, run_steps
from fastnn._engine.threads cimport run_team
from fastnn._kernels.table cimport (
    ADAGRAD, ADAM, BINARY_CROSS_ENTROPY, CROSS_ENTROPY, GELU, HUBER, IDENTITY, MEAN_ABSOLUTE, MEAN_SQUARED, MISH, NADAM,
    PINBALL, POISSON, RMSPROP, SGD, SIGMOID, SILU, SOFTMAX, real
)

from fastnn._engine.steps import raise_pending

LOSSES = {
    "mean_squared": MEAN_SQUARED, "mean_absolute": MEAN_ABSOLUTE, "huber": HUBER, "pinball": PINBALL, "poisson": POISSON,
    "cross_entropy": CROSS_ENTROPY, "binary_cross_entropy": BINARY_CROSS_ENTROPY,
}
OPTIMIZERS = {"sgd": SGD, "adam": ADAM, "nadam": NADAM, "rmsprop": RMSPROP, "adagrad": ADAGRAD}

cdef enum:
    CHUNK_BYTES = 1 << 20        # of activations and deltas that a chunk of a large batch may take: they stay in cache
    MIN_CHUNK_ROWS = 512         # fewer would spend too much on adding gradients up


class Diverged(FloatingPointError):
    """The loss, or a parameter, left the finite range at update ``step`` (counted from 1)."""

    def __init__(self, step, what):
        super().__init__(f"{what} is not finite at step {step}")
        self.step = step
        self.what = what


cdef class Training:
    """Trains ``model``, whose parameters it changes in place.

    Parameters
    ----------
    model : Model
    loss : dict
        ``kind``, and where the loss has them ``parameter`` and ``quantiles``. If the network ends in what the loss undoes
        (softmax under cross-entropy, sigmoid under binary cross-entropy), the loss is computed from the values before.
    optimizer : dict
        ``kind`` and its hyperparameters.
    seed : int
        Of the dropout masks.
    threads : int
        0 chooses by the amount of work.
    """

    cdef Model model
    cdef Run c
    cdef Arena operations, tape, losses, tasks, scratch, transposed, levels, gradient_arena
    cdef list states
    cdef object quantiles, optimizer_description
    cdef ssize_t capacity, batch_capacity, level_capacity, scratch_threads
    cdef ssize_t version         # of the model's parameters that the transposed weights were copied from
    cdef int threads
    cdef bint busy
    cdef double multiply_adds
    cdef Pace pace

    def __cinit__(self, Model model, loss, optimizer, seed=0, int threads=0):
        self.model = model
        self.threads = threads
        self.version = -1
        self.optimizer_description = dict(optimizer)
        self.copy_program()
        self.set_loss(**loss)
        self.c.tape.seed = seed
        self.set_optimizer(**optimizer)
        self.c.parameters = model.parameters.base
        self.c.arena_size = model.parameters.size
        self.states = [Arena(model.parameters.size) if self.uses_state(j) else None for j in range(3)]
        for j in range(3):
            self.c.states[j] = (<Arena> self.states[j]).base if self.states[j] is not None else NULL
        self.reset_state(optimizer.get("initial_accumulator", 0.0))
        if self.c.hyperparameters.clip_norm < INFINITY:
            self.gradient_arena = Arena(model.parameters.size)
        self.lay_out_transposed()
        self.make_tasks()
        self.multiply_adds = 3 * model.multiply_adds()
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
        self.c.loss_kind = LOSSES[kind]
        self.c.loss.n_outputs = self.model.n_outputs
        self.c.loss.parameter = parameter
        if quantiles is not None:
            self.quantiles = np.array(quantiles, dtype=np.float64)
            view = self.quantiles
            self.c.loss.quantiles, self.c.loss.n_quantiles = &view[0], len(view)
        if top.kind == DENSE or top.kind == ACTIVATION:
            if (top.activation, self.c.loss_kind) in ((SOFTMAX, CROSS_ENTROPY), (SIGMOID, BINARY_CROSS_ENTROPY)):
                top.activation = IDENTITY

    def set_optimizer(self, kind, double momentum=0, nesterov=False, double beta1=0, double beta2=0, double epsilon=0,
                      amsgrad=False, centered=False, double momentum_decay=0, double learning_rate_decay=0,
                      initial_accumulator=0, double l1=0, double l2=0, double decoupled=0, decay_all=False, clip_value=None,
                      clip_norm=None):
        cdef double logarithm = 0.96
        h = &self.c.hyperparameters
        h.kind = OPTIMIZERS[kind]
        h.momentum, h.beta1, h.beta2, h.epsilon = momentum, beta1, beta2, epsilon
        h.nesterov, h.amsgrad, h.centered, h.decay_all = nesterov, amsgrad, centered, decay_all
        h.learning_rate_decay, h.l1, h.l2, h.weight_decay = learning_rate_decay, l1, l2, decoupled
        h.clip_value = INFINITY if clip_value is None else clip_value
        h.clip_norm = INFINITY if clip_norm is None else clip_norm
        self.c.program.random.elementary(b"l", &logarithm, &logarithm, 1)
        logarithm *= momentum_decay
        self.c.program.random.elementary(b"e", &logarithm, &h.momentum_decay_base, 1)

    def uses_state(self, int j):
        """Whether the optimizer keeps the kernels' array state<j>."""
        cdef int kind = self.c.hyperparameters.kind
        if kind == RMSPROP:
            return (True, self.c.hyperparameters.momentum != 0, self.c.hyperparameters.centered)[j]
        return j < n_states(&self.c.hyperparameters)

    def reset_state(self, initial_accumulator):
        """The optimizer's state before the first step."""
        self.c.powers.beta1 = self.c.powers.beta2 = self.c.powers.momentum_decay = self.c.powers.momentum = 1
        if self.c.hyperparameters.kind == ADAGRAD and initial_accumulator:
            for t in range(self.model.n_tensors):
                self.model.panels(self.states[0], t)[...] = initial_accumulator

    cdef int lay_out_transposed(self) except -1:
        """Transposed weights for the dense operations that pass a delta on to one below with parameters."""
        cdef char* end = NULL
        cdef ssize_t k
        cdef Operation* op
        take(&end, self.c.program.n_operations * sizeof(char*))
        for k in range(self.c.last + 1, self.c.program.n_operations):
            op = &self.c.program.operations[k]
            if op.kind == DENSE:
                take(&end, panels_size(&self.c.program, op.n_out, op.n_in))
        self.transposed = Arena(<size_t> end)
        end = self.transposed.base
        self.c.transposed = <char**> take(&end, self.c.program.n_operations * sizeof(char*))
        for k in range(self.c.last + 1, self.c.program.n_operations):
            op = &self.c.program.operations[k]
            if op.kind == DENSE:
                self.c.transposed[k] = take(&end, panels_size(&self.c.program, op.n_out, op.n_in))
        return 0

    cdef int refresh_transposed(self) except -1:
        """Copies the weights anew if somebody else has changed them."""
        cdef ssize_t t
        cdef Task* task
        cdef Operation* op
        if self.version == self.model.version:
            return 0
        for t in range(self.n_tasks()):
            task = &self.c.tasks[t]
            op = &self.c.program.operations[task.operation]
            if task.part == BLOCK and self.c.transposed[task.operation] != NULL:
                self.c.program.dense.transpose(<const real*> op.weight, <real*> self.c.transposed[task.operation], op.n_in,
                                               op.n_out, task.in_panel, task.out_panel)
        self.version = self.model.version
        return 0

    cdef ssize_t n_tasks(self) noexcept:
        return self.c.first_task[MAX_TEAM]

    cdef int make_tasks(self) except -1:
        """Cuts every tensor into blocks of a panel by a panel, and for the norm into blocks of sixteen outputs."""
        cdef ssize_t t, out_panel, in_panel, n_tasks = 0, n_blocks = 0
        cdef ssize_t width = self.c.program.panel
        cdef char* end = NULL
        cdef Tensor* tensor
        for t in range(self.model.n_tensors):
            tensor = &self.model.layout[t]
            n_tasks += ((tensor.n_out + width - 1) // width) * ((tensor.n_in + width - 1) // width)
            n_blocks += (tensor.n_out + 15) // 16
        self.tasks = Arena(n_tasks * sizeof(Task) + n_blocks * (sizeof(NormBlock) + sizeof(double)) + 256)
        end = self.tasks.base
        self.c.tasks = <Task*> take(&end, n_tasks * sizeof(Task))
        self.c.norm_blocks = <NormBlock*> take(&end, n_blocks * sizeof(NormBlock))
        self.c.square_sums = <double*> take(&end, n_blocks * sizeof(double))
        n_tasks = 0
        for t in range(self.model.n_tensors):
            tensor = &self.model.layout[t]
            for out_panel in range((tensor.n_out + width - 1) // width):
                for in_panel in range((tensor.n_in + width - 1) // width):
                    self.set_task(&self.c.tasks[n_tasks], tensor, in_panel, out_panel)
                    n_tasks += 1
            for out_panel in range((tensor.n_out + 15) // 16):
                block = &self.c.norm_blocks[self.c.n_norm_blocks]
                block.offset, block.n_in, block.n_out, block.first_output = tensor.offset, tensor.n_in, tensor.n_out, 16 * out_panel
                self.c.n_norm_blocks += 1
        self.c.first_task[MAX_TEAM] = n_tasks
        return 0

    cdef void set_task(self, Task* task, Tensor* tensor, ssize_t in_panel, ssize_t out_panel) noexcept:
        cdef ssize_t width = self.c.program.panel
        task.operation = tensor.operation
        task.part = BIAS if tensor.is_bias else GAIN if tensor.is_vector else BLOCK
        task.in_panel, task.out_panel = in_panel, out_panel
        task.offset = tensor.offset + (out_panel * tensor.n_in + in_panel * width) * width * self.c.program.item
        task.count = min(width, tensor.n_in - in_panel * width) * width
        task.decays = not tensor.is_vector

    cdef int share_tasks(self, int n_threads) except -1:
        """Deals each thread a contiguous run of tasks of about the same number of parameters."""
        cdef ssize_t t, thread = 0, n_tasks = self.n_tasks()
        cdef double total = 0, before = 0
        if self.scratch_threads == n_threads:
            return 0
        for t in range(n_tasks):
            total += self.c.tasks[t].count
        for t in range(n_tasks):
            while thread < n_threads and before >= total * thread / n_threads:
                self.c.first_task[thread] = t
                thread += 1
            before += self.c.tasks[t].count
        while thread <= n_threads:
            self.c.first_task[thread] = n_tasks
            thread += 1
        self.c.scratch_size = (self.c.program.panel + TILE_LEVELS * TILE_ROWS_MAX) * self.c.program.panel * self.c.program.item
        self.scratch = Arena(n_threads * self.c.scratch_size)
        self.c.scratch = self.scratch.base
        self.scratch_threads = n_threads
        return 0

    # ----------------------------------------------------------------- buffers

    cdef char* lay_out_tape(self, char* next, ssize_t rows) noexcept:
        """Walks the buffers of a pass from next on; from NULL only measures."""
        cdef Program* program = &self.c.program
        cdef char* start = next
        cdef char* x
        cdef char* y
        cdef char* z
        cdef char* mask
        cdef char* delta
        cdef double* statistics
        cdef Slot* slots = <Slot*> take(&next, program.n_operations * sizeof(Slot))
        cdef Operation* op
        cdef ssize_t k
        x = take(&next, panels_size(program, rows, program.operations[0].n_in))
        if start != NULL:
            self.c.tape.rows, self.c.tape.x, self.c.tape.slots = rows, x, slots
        z = x
        for k in range(program.n_operations):
            op = &program.operations[k]
            y = take(&next, panels_size(program, rows, op.n_out))
            if op.kind == DENSE:
                z = take(&next, panels_size(program, rows, op.n_out)) if op.activation in (GELU, SILU, MISH) else y
            mask = take(&next, panels_size(program, rows, op.n_out)) if op.kind == DROPOUT else NULL
            delta = take(&next, panels_size(program, rows, op.n_out))
            statistics = <double*> take(&next, rows * 2 * sizeof(double)) if op.kind == LAYER_NORM else NULL
            if start != NULL:
                slots[k].y, slots[k].z, slots[k].mask, slots[k].statistics, slots[k].delta = y, z, mask, statistics, delta
            z = y                                   # what an activation as the next operation applies to
        if start != NULL:
            self.share_deltas()
        return next

    cdef void share_deltas(self) noexcept:
        """An activation's delta becomes that of the operation below in place."""
        cdef ssize_t k
        for k in range(self.c.program.n_operations - 1, 0, -1):
            if self.c.program.operations[k].kind == ACTIVATION:
                self.c.tape.slots[k - 1].delta = self.c.tape.slots[k].delta

    cdef ssize_t chunk_limit(self) noexcept:
        """The rows of a chunk of a large batch: a power of two times the shard, so that chunks are whole subtrees."""
        cdef ssize_t limit = SHARD, row_bytes = <ssize_t> self.lay_out_tape(NULL, 1)
        while limit < MIN_CHUNK_ROWS or 2 * limit * row_bytes <= CHUNK_BYTES:
            limit *= 2
        return limit

    cdef int reserve(self, ssize_t batch, bint has_labels, ssize_t n_targets) except -1:
        """Buffers for batches of this many rows, and the chunks in which they are taken."""
        cdef ssize_t limit = self.chunk_limit(), rows, n_chunks, n_levels = 0
        cdef char* end
        self.c.chunk = min(batch, limit)
        rows = self.c.chunk | 1                     # an odd number of rows: no stride between panels is a multiple of 4 KB
        if rows > self.capacity:
            self.tape = Arena(<size_t> self.lay_out_tape(NULL, rows))
            self.lay_out_tape(self.tape.base, rows)
            self.capacity = rows
        if batch > self.batch_capacity or n_targets != self.c.loss.n_targets:
            rows = max(batch, self.batch_capacity)
            self.losses = Arena(rows * (3 * sizeof(double) + sizeof(int64_t) + n_targets * self.c.program.item) + 512)
            end = self.losses.base
            self.c.losses = <double*> take(&end, rows * sizeof(double))
            self.c.hits = <double*> take(&end, rows * sizeof(double))
            self.c.row_weights = <double*> take(&end, rows * sizeof(double))
            self.c.labels = <int64_t*> take(&end, rows * sizeof(int64_t))
            self.c.targets = end
            self.batch_capacity = rows
        self.c.loss.labels = self.c.labels if has_labels else NULL
        self.c.loss.targets = NULL if has_labels else <const real*> self.c.targets
        self.c.loss.n_targets = n_targets
        n_chunks = (batch + self.c.chunk - 1) // self.c.chunk
        while (n_chunks - 1) >> n_levels:
            n_levels += 1
        if n_levels > self.level_capacity:
            self.levels = Arena(n_levels * self.c.arena_size)
            self.c.levels = self.levels.base
            self.level_capacity = n_levels
        return 0

    # ------------------------------------------------------------------- runs

    cdef int perform(self, Data data, ssize_t batch_size) except -1:
        """Steps through data from c.position on."""
        cdef ssize_t batch = min(batch_size, data.n)
        if self.busy:
            raise RuntimeError("this trainer is already running in another thread")
        self.busy = True
        try:
            self.reserve(batch, data.has_labels, data.n_targets)
            self.refresh_transposed()
            self.c.x, self.c.x_row, self.c.x_column, self.c.n = data.x, data.x_row, data.x_column, data.n
            self.c.y, self.c.y_row, self.c.y_column = data.y, data.y_row, data.y_column
            self.c.weights, self.c.order, self.c.batch_size = data.weights, data.order, batch
            self.c.loss.weights = self.c.row_weights if data.weights != NULL else NULL
            self.c.rates_used = 0
            self.c.abandoned = self.c.loss_diverged = False
            atomic_store(&self.c.parameter_diverged, 0)
            self.c.next_check = clock() + 0.05
            self.run_teams(min(choose_threads(self.threads, self.multiply_adds * batch), MAX_TEAM - 1))
            if self.c.updates:
                self.model.version += 1
                self.version = self.model.version
        finally:
            self.busy = False
        raise_pending()
        if self.c.loss_diverged:
            raise Diverged(self.c.steps + 1, "the loss")
        if atomic_load(&self.c.parameter_diverged):
            raise Diverged(self.c.steps, "a parameter")
        return 0

    cdef int run_teams(self, int threads) except -1:
        """Runs until there is reason to stop, on `threads` threads or, where that is left open, on one if that is faster."""
        cdef double deadline = self.c.deadline, start
        cdef ssize_t position
        while True:
            start = clock()
            position = self.c.position
            n_threads = threads if self.threads else self.pace.choose(start, threads, self.c.batch_size)
            self.c.deadline = deadline if self.threads or threads == 1 else min(deadline, self.pace.until)
            self.c.paused = False
            self.share_tasks(n_threads)
            run_team(run_steps, &self.c, n_threads)
            if self.c.position > position:
                self.pace.record(n_threads, (clock() - start) / (self.c.position - position))
            if self.done(deadline):
                return 0

    cdef bint done(self, double deadline) noexcept:
        """Whether the run is at its end, and not just at the end of a trial of a number of threads."""
        return (not self.c.updates or self.c.position >= self.c.n or self.c.rates_used >= self.c.n_rates or self.c.abandoned
                or self.c.loss_diverged or atomic_load(&self.c.parameter_diverged) or atomic_load(&self.c.stop)
                or clock() >= deadline)

    def run(self, X, y, weights, order, ssize_t batch_size, const double[::1] learning_rates, double seconds):
        """Goes on from ``position`` to the end of the epoch, or the learning rates, or returns after about ``seconds``.

        Parameters
        ----------
        X : ndarray of shape (n, n_inputs)
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
            Before the update, if a batch's loss is not finite; after it, if a parameter would have left the finite range
            (and kept its value).
        """
        data = Data(X, y, weights, order)
        if atomic_exchange(&self.c.stop, 0) or self.c.position >= (<Data> data).n or len(learning_rates) == 0:
            return
        self.c.updates = True
        self.c.gradient = self.gradient_arena.base if self.c.hyperparameters.clip_norm < INFINITY else NULL
        self.c.learning_rates, self.c.n_rates = &learning_rates[0], len(learning_rates)
        self.c.deadline = clock() + seconds
        self.perform(data, batch_size)
        atomic_store(&self.c.stop, 0)

    def step(self, X, y, weights, double learning_rate):
        """One update on one batch; returns its loss before the update."""
        cdef ssize_t position = self.c.position
        cdef double loss_sum = self.c.loss_sum, hit_sum = self.c.hit_sum, weight_sum = self.c.weight_sum
        data = Data(X, y, weights)
        self.c.updates = True
        self.c.gradient = self.gradient_arena.base if self.c.hyperparameters.clip_norm < INFINITY else NULL
        self.c.learning_rates, self.c.n_rates = &learning_rate, 1
        self.c.deadline = 0
        self.c.position = 0
        try:
            self.perform(data, (<Data> data).n)
        finally:
            self.c.position, self.c.loss_sum, self.c.hit_sum, self.c.weight_sum = position, loss_sum, hit_sum, weight_sum
        if self.c.abandoned:
            raise InterruptedError("interrupted before the step was done; nothing changed")
        return self.c.batch_loss

    def gradient(self, X, y, weights=None):
        """(loss, {(operation, kind): gradient}) of one batch, the penalties left out; nothing changes.

        Dropout masks are those of the coming step.
        """
        cdef ssize_t position = self.c.position
        data = Data(X, y, weights)
        if self.gradient_arena is None:
            self.gradient_arena = Arena(self.c.arena_size)
        self.c.updates = False
        self.c.gradient = self.gradient_arena.base
        self.c.position = 0
        try:
            self.perform(data, (<Data> data).n)
        finally:
            self.c.position = position
        return self.c.batch_loss, {
            (operation, kind): self.model.unpacked(self.model.panels(self.gradient_arena, t), t)
            for t, (operation, kind, _) in enumerate(self.model.tensors)
        }

    def evaluate(self, X, y, weights=None, out=None):
        """(mean loss, mean accuracy), dropout off; the network's outputs go to ``out`` (n, n_outputs), if given."""
        data = Data(X, y, weights)
        loss = self.c.loss
        loss.n_targets = (<Data> data).n_targets
        loss.labels = <const int64_t*> 1 if (<Data> data).has_labels else NULL       # which of the two, to be pointed at blocks
        loss.targets = NULL if (<Data> data).has_labels else <const real*> 1
        return evaluate(self.model, self.c.program, self.c.loss_kind, loss, data, out, self.threads)

    def interrupt(self):
        """Makes the run under way, or else the next one, return as soon as it can."""
        atomic_store(&self.c.stop, 1)

    # ------------------------------------------------------------------- state

    @property
    def position(self):
        """Rows of the epoch that are done."""
        return self.c.position

    @property
    def steps(self):
        """Updates done in all."""
        return self.c.steps

    @property
    def sums(self):
        """(loss, accuracy, sample weight), summed over the rows of the epoch that are done."""
        return self.c.loss_sum, self.c.hit_sum, self.c.weight_sum

    def end_epoch(self):
        """Sets the position and the sums to 0."""
        self.c.position = 0
        self.c.loss_sum = self.c.hit_sum = self.c.weight_sum = 0

    def get_state(self):
        """Everything a later run needs beside the parameters: {name: array}."""
        state = {
            "counters": np.array([self.c.steps, self.c.position], dtype=np.int64),
            "sums": np.array(self.sums, dtype=np.float64),
            "powers": np.array([self.c.powers.beta1, self.c.powers.beta2, self.c.powers.momentum_decay,
                                self.c.powers.momentum], dtype=np.float64),
        }
        for name, t, arena in self.state_tensors():
            state[name] = self.model.unpacked(self.model.panels(arena, t), t)
        return state

    def set_state(self, state):
        """Takes what ``get_state`` gave, of a training of the same network and optimizer."""
        self.c.steps, self.c.position = map(int, state["counters"])
        self.c.loss_sum, self.c.hit_sum, self.c.weight_sum = map(float, state["sums"])
        powers = &self.c.powers
        powers.beta1, powers.beta2, powers.momentum_decay, powers.momentum = map(float, state["powers"])
        for name, t, arena in self.state_tensors():
            self.model.pack(self.model.panels(arena, t), t, state[name])

    def state_tensors(self):
        """(name, position, arena) of every tensor that the optimizer keeps."""
        return [(f"{operation}.{kind}.state{j}", t, arena)
                for j, arena in enumerate(self.states) if arena is not None
                for t, (operation, kind, _) in enumerate(self.model.tensors)]
