"""From the description of an operation to the operation: what each kind is told, by name."""

from fastnn._engine.program cimport ACTIVATION, ADD, DENSE, DROPOUT, LAYER_NORM, Operation, Program
from fastnn._engine.registry cimport set_activation

KINDS = {"dense": DENSE, "activation": ACTIVATION, "dropout": DROPOUT, "layer_norm": LAYER_NORM, "add": ADD}


cdef int describe(Program* program, Operation* op, kind, ssize_t n_in, dict given) except -1:
    """Set what is particular to a kind of operation that reads n_in units; raise for what it does not know."""
    if kind not in KINDS:
        raise ValueError(f"unknown kind of operation {kind!r}; there are {', '.join(KINDS)}")
    op.kind = KINDS[kind]
    op.n_in = op.n_out = n_in
    if op.kind == DENSE:
        op.n_out = required(given, "units", kind)
        op.is_narrow = op.n_out <= program.dense.narrow
    if op.kind in (DENSE, ACTIVATION):
        set_activation(op, program.activations, given.pop("activation", "identity"))
        op.alpha = given.pop("alpha", 0.0)
    elif op.kind == DROPOUT:
        op.rate, op.stream = required(given, "rate", kind), required(given, "stream", kind)
    elif op.kind == LAYER_NORM:
        op.epsilon = required(given, "epsilon", kind)
    if given:
        raise ValueError(f"an operation of kind {kind!r} has no {', '.join(map(repr, given))}")
    return 0


cdef object required(dict given, name, kind):
    if name not in given:
        raise ValueError(f"an operation of kind {kind!r} needs {name!r}")
    return given.pop(name)
