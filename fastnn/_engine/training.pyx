"""A network compiled for training: what `steps` runs on, allocated, filled in and kept between runs."""

import numpy as np

from libc.math cimport INFINITY
from libc.string cimport memcpy

from fastnn._engine.atomics cimport atomic_exchange, atomic_load, atomic_store
from fastnn._engine.buffers cimport Reserves, new_transposed
from fastnn._engine.data cimport Data
from fastnn._engine.divergence cimport operation_of_outputs, operation_of_parameters
from fastnn._engine.evaluation cimport evaluate
from fastnn._engine.memory cimport Arena
from fastnn._engine.model cimport WORTH_A_TRIAL, Model, choose_threads
from fastnn._engine.operations.dense cimport transpose_block
from fastnn._engine.pace cimport Pace
from fastnn._engine.plan cimport Plan, fold_relus, new_plan, plan_deltas
from fastnn._engine.program cimport TRAINING, Operand, Operation, Program
from fastnn._engine.run cimport Progress, Run, RunData, Schedule, Signals, Task
from fastnn._engine.settings cimport set_groups, set_loss, set_optimizer
from fastnn._engine.square_sums cimport squared_weights
from fastnn._engine.steps cimport clock, run_steps
from fastnn._engine.tasks cimport new_tasks
from fastnn._engine.team cimport Team, shared_team
from fastnn._engine.threads cimport insists

from fastnn._engine.environment import standard_environment


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
    """The training of ``model``, whose parameters it changes in place.

    Parameters
    ----------
    model : Model
    loss : dict
        ``kind``, and where the loss has them ``parameter`` and ``quantiles``. If the network ends in what the loss
        undoes (softmax under cross-entropy, sigmoid under binary cross-entropy), the loss is computed from the values
        before.
    optimizer : dict
        ``kind``; ``states``, which of the three arrays of state it keeps; ``numbers``, how those of a step follow from
        the steps before, by a name of `settings.NUMBERS`; ``keeps_without_gradient``, whether parameters and state keep
        their bits where the gradient is zero; and its hyperparameters.
    seed : int
        Of the dropout masks.
    threads : int
        At most; 0 chooses by the amount of work.
    groups : dict, optional
        For (operation, kind) of a tensor, how the optimizer treats it: ``learning_rate``, a factor of the step's, and
        ``decays``, whether penalties and weight decay apply. By default they do to matrices alone.
    """

    cdef Model model
    cdef Run current
    cdef Plan plan
    cdef Team team
    cdef Reserves reserves
    cdef Arena operations, tasks, transposed, gradient_arena
    cdef list states
    cdef list raised             # by signals' handlers during a run; only the main thread's run can get one
    cdef object quantiles
    cdef ssize_t version         # of the model's parameters that the transposed weights were copied from
    cdef int threads
    cdef bint busy
    cdef Pace pace

    def __cinit__(self, Model model, loss, optimizer, seed=0, int threads=0, groups=None):
        self.model = model
        self.threads = threads
        self.version = -1
        self.raised = []
        self.reserves = Reserves()
        self.team = shared_team()
        self.pace = Pace()
        self.current.team = self.team.state
        self.current.signals.raised = <void*> self.raised
        self.current.signals.row_work = 3 * model.multiply_adds() + ROW_OVERHEAD
        self.copy_program()
        self.quantiles = set_loss(&self.current, loss)
        self.lay_out_passes()
        self.prepare_optimizer(dict(optimizer), groups)
        self.current.network.seed = seed

    # ------------------------------------------------------------------ set-up

    cdef int copy_program(self) except -1:
        """Copy the model's operations, to be changed where training differs."""
        cdef ssize_t k, n = self.model.program.n_operations, n_operands = 0
        cdef Operation* op
        cdef Operand* operands
        cdef Program* program = &self.current.network.program
        for k in range(n):
            n_operands += self.model.program.operations[k].n_operands
        self.operations = Arena(n * sizeof(Operation) + n_operands * sizeof(Operand))
        program[0] = self.model.program
        program.operations = <Operation*> self.operations.base
        memcpy(program.operations, self.model.program.operations, n * sizeof(Operation))
        operands = <Operand*> (program.operations + n)
        for k in range(n):
            op = &program.operations[k]
            memcpy(operands, op.operands, op.n_operands * sizeof(Operand))
            op.operands = operands
            operands += op.n_operands
        self.current.network.parameters = self.model.parameters.base
        self.current.network.arena_size = self.model.parameters.size
        return 0

    cdef int lay_out_passes(self) except -1:
        plan_deltas(&self.current.network.program)
        fold_relus(&self.current.network.program)
        self.plan = new_plan(&self.current.network.program, TRAINING)
        self.transposed = new_transposed(&self.current)
        return 0

    cdef int prepare_optimizer(self, dict optimizer, groups) except -1:
        decay_all, initial = optimizer.pop("decay_all", False), optimizer.pop("initial_accumulator", 0.0)
        states = optimizer.pop("states")
        set_optimizer(&self.current, optimizer)
        self.states = [Arena(self.model.parameters.size) if is_kept else None for is_kept in states]
        for j in range(3):
            self.current.optimizer.states[j] = (<Arena> self.states[j]).base if self.states[j] is not None else NULL
        if initial and self.states[0] is None:
            raise ValueError("an optimizer without state has no 'initial_accumulator'")
        if initial:
            with standard_environment():
                for t in range(self.model.n_tensors):
                    self.model.panels(self.states[0], t)[...] = initial
        if self.current.optimizer.hyperparameters.clip_norm < INFINITY:
            self.gradient_arena = Arena(self.model.parameters.size)
        numbers = set_groups(&self.current, self.model.tensors, groups, decay_all)
        self.tasks = new_tasks(&self.current.network, self.model, numbers)
        return 0

    cdef int refresh_transposed(self) except -1:
        """Copy the weights anew if somebody else has changed them."""
        cdef ssize_t t
        cdef Task* task
        if self.version == self.model.version:
            return 0
        for t in range(self.current.network.n_tasks):
            task = &self.current.network.tasks[t]
            if task.is_transposed:
                transpose_block(&self.current.network.program, &self.current.network.program.operations[task.operation],
                                task.row_panel, task.column_panel)
        self.version = self.model.version
        return 0

    # ------------------------------------------------------------------- runs

    cdef int begin(self, bint updates) except -1:
        """Say whether the steps are to update or to leave their gradient.

        Before anything else of a run is changed, or even looked at: until then another thread may be running.
        """
        if self.busy:
            raise RuntimeError("this trainer is already running in another thread")
        if not updates and self.gradient_arena is None:
            self.gradient_arena = Arena(self.current.network.arena_size)
        self.current.optimizer.updates = updates
        whole = not updates or self.current.optimizer.hyperparameters.clip_norm < INFINITY
        self.current.buffers.gradient = self.gradient_arena.base if whole else NULL
        return 0

    cdef int perform(self, Data data, ssize_t batch_size) except -1:
        """Step through data from the position on."""
        cdef Run* run = &self.current
        cdef ssize_t batch = min(batch_size, data.n), operation = -1
        self.busy = True
        try:
            threads = choose_threads(self.threads, run.signals.row_work * batch, WORTH_A_TRIAL)
            self.take_data(data, batch)
            self.reserves.reserve(run, self.plan, data, batch, threads)
            self.refresh_transposed()
            run.data.loss.weights = run.data.row_weights if data.weights != NULL else NULL
            run.schedule.rates_used = 0
            self.reset_signals()
            self.run_team(threads)
            if run.signals.loss_diverged:
                operation = operation_of_outputs(run)
            elif atomic_load(&run.signals.parameter_diverged):
                operation = operation_of_parameters(run)
            if run.optimizer.updates:
                self.model.version += 1
                self.version = self.model.version
        finally:
            self.busy = False
        if self.raised:
            raise self.raised.pop()
        if run.signals.loss_diverged:
            raise Diverged(self.steps + 1, "the loss", operation)
        if atomic_load(&run.signals.parameter_diverged):
            raise Diverged(self.steps, "a parameter", operation)
        return 0

    cdef int take_data(self, Data data, ssize_t batch) except -1:
        cdef RunData* found = &self.current.data
        found.inputs = data.inputs(&self.current.network.program)
        found.n, found.batch_size = data.n, batch
        found.y, found.y_row, found.y_column = data.y, data.y_row, data.y_column
        found.weights, found.order = data.weights, data.order
        return 0

    cdef void reset_signals(self) noexcept:
        cdef Signals* signals = &self.current.signals
        signals.loss_diverged = False
        atomic_store(&signals.abandoned, 0)
        atomic_store(&signals.parameter_diverged, 0)
        signals.now = clock()
        signals.next_check = signals.now + 0.05
        signals.work_to_clock = 0

    cdef int run_team(self, int threads) except -1:
        """Run until there is reason to stop, on `threads` threads or, if that is faster, on one."""
        cdef Run* run = &self.current
        cdef double deadline = run.schedule.deadline, start
        cdef ssize_t position, rows
        cdef bint is_open = threads > 1 and not (self.threads and insists())
        while True:
            start = clock()
            position = run.schedule.progress.position
            n_threads = self.pace.choose(start, threads, run.data.batch_size) if is_open else threads
            run.schedule.deadline = min(deadline, self.pace.until) if is_open else deadline
            run.signals.paused = False
            self.reserves.reserve_scratch(run, n_threads)
            self.team.run(run_steps, run, n_threads)
            rows = run.schedule.progress.position - position if run.optimizer.updates else run.data.n
            if is_open and rows > 0:
                self.pace.record(clock() - start, rows)
            if self.done(deadline):
                return 0

    cdef bint done(self, double deadline) noexcept:
        """Return whether the run is at its end, and not just at the end of a trial of a number of threads."""
        cdef Schedule* schedule = &self.current.schedule
        cdef Signals* signals = &self.current.signals
        return (not self.current.optimizer.updates or schedule.progress.position >= self.current.data.n
                or schedule.rates_used >= schedule.n_rates or atomic_load(&signals.abandoned)
                or signals.loss_diverged or atomic_load(&signals.parameter_diverged)
                or atomic_load(&signals.stop) or clock() >= deadline)

    def run(self, X, y, weights, order, ssize_t batch_size, const double[::1] learning_rates, double seconds):
        """Go on from ``position`` to the end of the epoch or the learning rates, or for about ``seconds``.

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
        is_stopped = atomic_exchange(&self.current.signals.stop, 0)
        if is_stopped or self.position >= (<Data> data).n or len(learning_rates) == 0:
            return
        self.current.schedule.learning_rates, self.current.schedule.n_rates = &learning_rates[0], len(learning_rates)
        self.current.schedule.deadline = clock() + seconds
        self.perform(data, batch_size)
        atomic_store(&self.current.signals.stop, 0)

    def step(self, X, y, weights, double learning_rate):
        """Update on one batch; return its loss before the update."""
        cdef Progress progress
        data = Data(X, y, weights)
        self.begin(True)
        progress = self.current.schedule.progress
        self.current.schedule.learning_rates, self.current.schedule.n_rates = &learning_rate, 1
        self.current.schedule.deadline = 0
        self.current.schedule.progress.position = 0
        atomic_store(&self.current.signals.stop, 0)
        try:
            self.perform(data, (<Data> data).n)
        finally:
            self.current.schedule.progress = progress
        if atomic_load(&self.current.signals.abandoned):
            raise InterruptedError("interrupted before the step was done; nothing changed")
        return self.current.schedule.batch_loss

    def gradient(self, X, y, weights=None):
        """Return (loss, {(operation, kind): gradient}) of one batch, the penalties left out; nothing changes.

        Dropout masks are those of the coming step.
        """
        cdef Progress progress
        data = Data(X, y, weights)
        self.begin(False)
        progress = self.current.schedule.progress
        self.current.schedule.progress.position = 0
        try:
            self.perform(data, (<Data> data).n)
        finally:
            self.current.schedule.progress = progress
        return self.current.schedule.batch_loss, {
            (operation, kind): self.model.unpacked(self.model.panels(self.gradient_arena, t), t)
            for t, (operation, kind, _) in enumerate(self.model.tensors)
        }

    def evaluate(self, X, y, weights=None, out=None):
        """Return (mean loss, mean accuracy), dropout off; the outputs go to ``out`` (n, n_outputs), if given."""
        data = Data(X, y, weights)
        return evaluate(self.model, self.current.network.program, self.current.data.loss_kernel,
                        self.current.data.loss, data, out, self.threads)

    def interrupt(self):
        """Make the run under way, or else the next one, return as soon as it can."""
        atomic_store(&self.current.signals.stop, 1)

    # ------------------------------------------------------------------- state

    @property
    def position(self):
        """Rows of the epoch that are done."""
        return self.current.schedule.progress.position

    @property
    def steps(self):
        """Updates done in all."""
        cdef long long steps = self.current.schedule.steps         # Clang makes no Python number of an atomic one
        return steps

    @property
    def sums(self):
        """(loss, accuracy, sample weight), summed over the rows of the epoch that are done."""
        progress = self.current.schedule.progress
        return progress.loss_sum, progress.hit_sum, progress.weight_sum

    @property
    def squared_weights(self):
        """The sum of the squares of the weights, biases and norms left out."""
        with standard_environment():
            return squared_weights(&self.current)

    def end_epoch(self):
        """Set the position and the sums to 0."""
        progress = &self.current.schedule.progress
        progress.position = 0
        progress.loss_sum = progress.hit_sum = progress.weight_sum = 0

    def get_state(self):
        """Return everything a later run needs beside the parameters: {name: array}."""
        powers = &self.current.optimizer.powers
        state = {
            "counters": np.array([self.steps, self.position], dtype=np.int64),
            "sums": np.array(self.sums, dtype=np.float64),
            "powers": np.array([powers.beta1, powers.beta2, powers.momentum_decay, powers.momentum], dtype=np.float64),
        }
        for name, t, arena in self.state_tensors():
            state[name] = self.model.unpacked(self.model.panels(arena, t), t)
        return state

    def set_state(self, state):
        """Take what ``get_state`` gave, of a training of the same network and optimizer."""
        cdef long long steps
        progress, powers = &self.current.schedule.progress, &self.current.optimizer.powers
        steps, progress.position = map(int, state["counters"])
        self.current.schedule.steps = steps
        progress.loss_sum, progress.hit_sum, progress.weight_sum = map(float, state["sums"])
        powers.beta1, powers.beta2, powers.momentum_decay, powers.momentum = map(float, state["powers"])
        for name, t, arena in self.state_tensors():
            self.model.pack(self.model.panels(arena, t), t, state[name])

    def state_tensors(self):
        """List (name, position, arena) of every tensor that the optimizer keeps."""
        return [(f"{operation}.{kind}.state{j}", t, arena)
                for j, arena in enumerate(self.states) if arena is not None
                for t, (operation, kind, _) in enumerate(self.model.tensors)]
