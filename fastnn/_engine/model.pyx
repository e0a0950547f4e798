"""A network compiled for prediction: its operations, its parameters in panels, and the pass over rows.

Callers are the Python layer, which has validated what it passes on.
"""

from collections import Counter

import numpy as np

from cpython.buffer cimport PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.string cimport memset

from fastnn._engine.inputs cimport dense_inputs, take_rows
from fastnn._engine.memory cimport Arena, cut
from fastnn._engine.operations.kinds cimport ACTIVATION, ADD, DENSE, describe, tensors_of
from fastnn._engine.passes cimport forward_rows
from fastnn._engine.plan cimport new_plan, takes_entries
from fastnn._engine.program cimport PREDICTION, Operand, Operation, Program, Tape, panels_size
from fastnn._engine.sparse cimport SparseMatrix
from fastnn._engine.team cimport shared_team
from fastnn._engine.tensors cimport BIAS, MAX_TENSORS, STATE, WEIGHT, Tensor
from fastnn._engine.threads cimport get_num_threads
from fastnn._kernels.table cimport (
    ActivationKernels, BatchKernels, DenseKernels, LossKernels, NormalizationKernels, OptimizerKernels, RandomKernels,
    SparseKernels, real
)

cdef extern from "Python.h":
    enum:
        PyBUF_WRITE

ROLES = {WEIGHT: "weight", BIAS: "bias", STATE: "state"}


cdef int choose_threads(int threads, double multiply_adds, double worth) noexcept:
    """Return threads, or for 0 as many as the work is worth."""
    if threads == 0:
        threads = <int> min(multiply_adds / worth, <double> get_num_threads())
    return max(1, threads)


cdef class Model:
    """A network of ``operations`` with zeroed parameters, to be run by the kernels in ``tables``.

    Parameters
    ----------
    n_inputs : int
        Units of a row of the network's inputs.
    operations : sequence of dict
        In order. Each has a ``kind``; ``inputs``, the values that it reads: 0 is the network's inputs and k + 1 what
        operation k writes; and by kind:

        - ``"dense"``: ``units``, and an ``activation`` by name with its ``alpha``, if it has one;
        - ``"activation"``: ``activation`` and ``alpha`` likewise;
        - ``"dropout"``: ``rate`` and the ``stream`` of its random numbers;
        - ``"layer_norm"``: ``epsilon``;
        - ``"add"``, of several inputs: nothing.
    dtype : {"float32", "float64"}
    tables : dict of capsule
        The kernels' function tables for that dtype, by module.

    Raises
    ------
    ValueError
        If a description is not as above, reads what is written after it, or writes what nobody reads.
    """

    def __cinit__(self, ssize_t n_inputs, operations, dtype, tables):
        self.operations = tuple(operations)
        self.dtype = dtype
        self.spare = []
        self.program.item = np.dtype(dtype).itemsize
        self.find_kernels(tables)
        self.n_inputs = self.program.n_inputs = n_inputs
        self.lay_out_program(self.operations)
        self.n_outputs = self.program.n_outputs
        self.allocate_parameters()
        self.plan = new_plan(&self.program, PREDICTION)
        self.positions = {(operation, kind): t for t, (operation, kind, _) in enumerate(self.tensors)}

    cdef int find_kernels(self, tables) except -1:
        cdef Program* program = &self.program
        self.kernel_tables = tables
        program.dense = <DenseKernels*> PyCapsule_GetPointer(tables["dense"], "fastnn.dense")
        program.activations = <ActivationKernels*> PyCapsule_GetPointer(tables["activations"], "fastnn.activations")
        program.normalization = <NormalizationKernels*> PyCapsule_GetPointer(tables["normalization"],
                                                                             "fastnn.normalization")
        program.losses = <LossKernels*> PyCapsule_GetPointer(tables["losses"], "fastnn.losses")
        program.optimizers = <OptimizerKernels*> PyCapsule_GetPointer(tables["optimizers"], "fastnn.optimizers")
        program.random = <RandomKernels*> PyCapsule_GetPointer(tables["random"], "fastnn.random")
        program.batch = <BatchKernels*> PyCapsule_GetPointer(tables["batch"], "fastnn.batch")
        program.sparse = <SparseKernels*> PyCapsule_GetPointer(tables["sparse"], "fastnn.sparse")
        program.panel = program.dense.panel
        return 0

    cdef int lay_out_program(self, operations) except -1:
        """Make the operations; an activation after a dense one that nobody else reads becomes part of it."""
        cdef ssize_t n = len(operations), n_operands = sum([len(given["inputs"]) for given in operations])
        cdef Operation* op
        cdef Operand* operands
        if n == 0:
            raise ValueError("a network must have at least one operation; got none")
        self.operations_arena = Arena(n * (sizeof(Operation) + MAX_TENSORS * sizeof(Tensor))
                                      + n_operands * sizeof(Operand))
        self.program.operations = <Operation*> self.operations_arena.base
        self.layout = <Tensor*> (self.program.operations + n)
        operands = <Operand*> (self.layout + MAX_TENSORS * n)
        readers = Counter([value for given in operations for value in given["inputs"]])
        values = [0]                             # number in the program of each value of the descriptions
        units = [self.n_inputs]                  # of each value of the program
        for index, given in enumerate(operations):
            given = dict(given)
            kind, inputs = given.pop("kind"), given.pop("inputs")
            if not inputs or not all([0 <= value <= index for value in inputs]):
                raise ValueError(f"operation {index} must read values from 0 to {index}; got {inputs}")
            if index + 1 < n and not readers[index + 1]:
                raise ValueError(f"operation {index}, of kind {kind!r}, writes what nobody reads")
            n_in = units[values[inputs[0]]]
            if any([units[values[value]] != n_in for value in inputs]):
                raise ValueError(f"operation {index} must read values of the same size")
            op = &self.program.operations[self.program.n_operations]
            op.n_in = op.n_out = n_in
            describe(&self.program, op, kind, given)
            if op.kind != ADD and len(inputs) > 1:
                raise ValueError(f"operation {index}, of kind {kind!r}, must read one value; got {inputs}")
            if op.kind == ACTIVATION and readers[inputs[0]] == 1 and self.joins(values[inputs[0]], op):
                values.append(values[inputs[0]])
                memset(op, 0, sizeof(Operation))             # the next operation is described in its place
                continue
            op.index, op.n_operands, op.operands = index, len(inputs), operands
            for i, value in enumerate(inputs):
                op.operands[i].value = values[value]
            operands += op.n_operands
            self.program.n_operations += 1
            values.append(self.program.n_operations)
            units.append(op.n_out)
        self.program.output = self.program.n_operations
        self.program.n_outputs = units[self.program.output]
        self.program.takes_entries = takes_entries(&self.program)
        return 0

    cdef bint joins(self, ssize_t value, const Operation* activation) noexcept:
        """Give an activation to the dense operation that wrote the value, if that has none of its own."""
        cdef Operation* below = &self.program.operations[value - 1]
        if value == 0 or below.kind != DENSE or not below.is_identity:
            return False
        below.activation, below.alpha = activation.activation, activation.alpha
        below.is_identity, below.is_relu = activation.is_identity, activation.is_relu
        below.is_softmax = activation.is_softmax
        return True

    cdef int allocate_parameters(self) except -1:
        cdef ssize_t k, t
        cdef Tensor* tensor
        cdef Operation* op
        cdef char* end = NULL
        for k in range(self.program.n_operations):
            t = self.n_tensors
            self.n_tensors += tensors_of(&self.program.operations[k], &self.layout[t])
            for t in range(t, self.n_tensors):
                tensor = &self.layout[t]
                tensor.operation, tensor.size = k, panels_size(&self.program, tensor.rows, tensor.columns)
                tensor.offset = <ssize_t> cut(&end, tensor.size)
        self.parameters = Arena(<size_t> end)
        for t in range(self.n_tensors):
            tensor = &self.layout[t]
            end = self.parameters.base + tensor.offset
            cut(&end, tensor.size)
            op = &self.program.operations[tensor.operation]
            if tensor.role == WEIGHT:
                op.weight = self.parameters.base + tensor.offset
            elif tensor.role == BIAS:
                op.bias = self.parameters.base + tensor.offset
            else:
                op.state = self.parameters.base + tensor.offset
        return 0

    @property
    def tensors(self):
        """(operation, "weight", "bias" or "state", shape) of every parameter tensor, in the order of the operations."""
        cdef ssize_t t
        cdef Tensor* tensor
        listed = []
        for t in range(self.n_tensors):
            tensor = &self.layout[t]
            shape = (tensor.rows, tensor.columns) if tensor.is_transposed else (tensor.columns, tensor.rows)
            if tensor.is_vector:
                shape = shape[:1]
            listed.append((self.program.operations[tensor.operation].index, ROLES[tensor.role], shape))
        return listed

    cdef object panels(self, Arena arena, ssize_t t):
        """Return tensor t of an arena laid out like the parameters, as a writable array [panels, rows, P] over it."""
        cdef Tensor* tensor = &self.layout[t]
        memory = PyMemoryView_FromMemory(arena.base + tensor.offset, tensor.size, PyBUF_WRITE)
        return np.frombuffer(memory, dtype=self.dtype).reshape(-1, tensor.rows, self.program.panel)

    def unpacked(self, panels, ssize_t t):
        """Return a copy of tensor t's panels in its public shape."""
        cdef Tensor* tensor = &self.layout[t]
        if tensor.is_vector:
            return panels.reshape(-1)[:tensor.columns].copy()
        width = self.program.panel
        shape = (tensor.rows, tensor.columns) if tensor.is_transposed else (tensor.columns, tensor.rows)
        array = np.empty(shape, self.dtype)
        matrix = array.T if tensor.is_transposed else array
        for p in range(len(panels)):
            part = matrix[p * width:(p + 1) * width]
            part[:] = panels[p, :, :len(part)].T
        return array

    def pack(self, panels, ssize_t t, array):
        """Write an array of tensor t's public shape into its panels."""
        width = self.program.panel
        matrix = array.T if self.layout[t].is_transposed else array.reshape(-1, self.layout[t].rows)
        for p in range(len(panels)):
            part = matrix[p * width:(p + 1) * width]
            panels[p, :, :len(part)] = part.T

    def read(self, operation, kind):
        """Return a copy of a parameter tensor."""
        t = self.positions[operation, kind]
        return self.unpacked(self.panels(self.parameters, t), t)

    def write(self, operation, kind, array):
        """Set a parameter tensor from an array of its shape and dtype."""
        t = self.positions[operation, kind]
        self.pack(self.panels(self.parameters, t), t, array)
        self.version += 1

    cdef double multiply_adds(self) noexcept:
        """Count the multiply-adds of the forward pass of one row."""
        cdef ssize_t k
        cdef double total = 0
        for k in range(self.program.n_operations):
            if self.program.operations[k].kind == DENSE:
                total += <double> self.program.operations[k].n_in * self.program.operations[k].n_out
        return total

    def forward(self, X, out, int threads=0):
        """Write the network's outputs for the rows of X into out; both any-strided arrays of the model's dtype.

        ``threads`` 0 chooses by the amount of work.
        """
        cdef Prediction job
        cdef Py_buffer x_view
        PyObject_GetBuffer(X, &x_view, PyBUF_STRIDES)
        try:
            job.n = x_view.shape[0]
            job.inputs = dense_inputs(&x_view)
            self.predict(&job, self.multiply_adds() * job.n, out, threads)
        finally:
            PyBuffer_Release(&x_view)

    def forward_sparse(self, SparseMatrix X, out, int threads=0):
        """Do the same for sparse rows."""
        cdef Prediction job
        job.n = len(X)
        job.inputs = X.inputs(&self.program)
        self.predict(&job, self.sparse_multiply_adds(X), out, threads)

    cdef int predict(self, Prediction* job, double multiply_adds, out, int threads) except -1:
        """Run a job whose rows are set."""
        cdef Py_buffer out_view
        cdef Tapes tapes
        PyObject_GetBuffer(out, &out_view, PyBUF_STRIDES | PyBUF_WRITABLE)
        try:
            if job.n == 0:
                return 0
            job.out, job.out_row, job.out_column = <char*> out_view.buf, out_view.strides[0], out_view.strides[1]
            threads = choose_threads(threads, multiply_adds, WORTH_A_WAKE)
            tapes = self.tapes(min(job.n, <ssize_t> BLOCK_ROWS), threads, not job.inputs.is_direct)
            job.program = &self.program
            job.tapes = tapes.first
            shared_team().run(predict_rows, job, threads)
            self.spare.append(tapes)
        finally:
            PyBuffer_Release(&out_view)
        return 0

    cdef double sparse_multiply_adds(self, SparseMatrix X) noexcept:
        """Count the multiply-adds of the forward pass of sparse rows."""
        cdef const Operation* op
        cdef double saved = 0
        cdef ssize_t k
        if X.inputs(&self.program).is_direct:
            for k in range(self.program.n_operations):
                op = &self.program.operations[k]
                if op.operands[0].value == 0:
                    saved += (<double> op.n_in * len(X) - X.count()) * op.n_out
        return self.multiply_adds() * len(X) - saved

    cdef object tapes(self, ssize_t rows, int threads, bint has_inputs):
        """Return tapes for a prediction, an earlier one's if they fit; safe from several Python threads at once."""
        cdef Tapes found
        try:
            found = self.spare.pop()
            if found.rows == rows and found.n >= threads and found.has_inputs == has_inputs:
                return found
        except IndexError:
            pass
        return Tapes(self, rows, threads, has_inputs)


cdef class Tapes:
    """The tapes of a prediction, one a thread.

    Without ``has_inputs`` they have no room for the network's inputs, which sparse rows need not.
    """

    def __cinit__(self, Model model, ssize_t rows, int n, bint has_inputs):
        self.rows, self.n, self.has_inputs = rows, n, has_inputs
        self.arena = Arena(<size_t> self.lay_out(model, NULL, True))
        self.lay_out(model, self.arena.base, False)

    cdef char* lay_out(self, Model model, char* next, bint measures) noexcept:
        """Cut the tapes off from next on, and return where they end."""
        cdef ssize_t t, rows = self.rows | 1           # odd: no stride between panels is a multiple of 4 KB
        self.first = <Tape*> cut(&next, self.n * sizeof(Tape))
        for t in range(self.n):
            next = model.plan.lay_out(&model.program, NULL if measures else &self.first[t], next, rows, self.has_inputs)
        return next


cdef void predict_rows(void* context, int thread, int n_threads) noexcept nogil:
    """Take one thread's share of the rows, block by block."""
    cdef Prediction* job = <Prediction*> context
    cdef Program* program = job.program
    cdef Tape* tape = &job.tapes[thread]
    cdef ssize_t r = job.n * thread // n_threads, end = job.n * (thread + 1) // n_threads
    cdef ssize_t n
    cdef const char* y = tape.slots[program.output].y
    while r < end:
        n = min(end - r, <ssize_t> BLOCK_ROWS)
        take_rows(program, tape, &job.inputs, NULL, r, 0, n)
        forward_rows(program, tape, 0, program.n_operations, 0, n)
        program.batch.scatter(<const real*> y, tape.rows, program.n_outputs, 0, n, job.out + r * job.out_row,
                              job.out_row, job.out_column)
        r += n
