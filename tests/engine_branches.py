"""Networks whose values have several readers, for the tests of graphs."""

from engine_oracle import DROPOUT_STREAM, activation, add, dense, dropout, layer_norm, net, reading

# Each names what is particular to it; all but the last two take the entries of sparse rows.
BRANCHES = {
    "two branches": net(
        6,
        dense(21, "gelu"),  # 1
        dense(19, "relu"),  # 2
        reading(layer_norm(), 1),  # 3
        dense(19),  # 4
        add(2, 4),  # 5
        dense(3),
    ),
    "skip": net(6, dense(18, "tanh"), dense(18, "gelu"), dense(18), add(1, 3), dense(2)),
    "skip first": net(6, dense(18, "tanh"), layer_norm(), dense(18, "relu"), add(3, 1), dense(2)),
    "read three times": net(
        5, dense(17, "silu"), dense(9), reading(dense(9, "relu"), 1), reading(dense(9), 1), add(2, 3, 4), dense(2)
    ),
    "added to itself": net(5, dense(13, "tanh"), add(1, 1), dense(3)),
    "three times itself": net(5, dense(13, "relu"), add(1, 1, 1), dense(3)),
    "itself and another": net(5, dense(13), dense(13, "gelu"), add(1, 2, 1), dense(3)),
    "a ReLU that two read": net(6, dense(33, "relu"), dense(10), reading(dense(10, "gelu"), 1), add(2, 3), dense(2)),
    "a ReLU apart that two read": net(
        6, dense(33), activation("relu"), dense(10), reading(dense(10), 2), add(3, 4), dense(2)
    ),
    "before and after its activation": net(6, dense(14), activation("relu"), dense(14), add(1, 3), dense(3)),
    "an activation that two read": net(
        6, dense(14), activation("gelu"), dense(14), reading(layer_norm(), 2), add(3, 4), activation("relu"), dense(3)
    ),
    "activations of one value": net(
        6, dense(14), activation("relu"), reading(activation("tanh"), 1), add(2, 1, 3), dense(3)
    ),
    "an activation fused from afar": net(
        6, dense(14), reading(dense(14), 0), reading(activation("relu"), 1), add(3, 2), dense(3)
    ),
    "dropout in a branch": net(
        6, dense(20, "relu"), dropout(0.4), dense(20, "mish"), add(1, 3), dropout(0.2, DROPOUT_STREAM + 1), dense(3)
    ),
    "dropout of what others read": net(
        6, dense(20), dropout(0.4), reading(activation("tanh"), 1), add(2, 3, 1), activation("relu"), dense(3)
    ),
    "narrow in a branch": net(
        6, dense(18, "tanh"), dense(3, "relu"), dense(18), add(1, 3), dense(4), reading(dense(4, "gelu"), 4), add(5, 6)
    ),
    "an add at the end": net(5, dense(4, "relu"), reading(dense(4), 0), add(1, 2)),
    "two read the inputs": net(
        8, dense(19, "relu"), reading(dense(19, "gelu"), 0), add(1, 2), reading(dense(3), 0), dense(19), add(3, 5),
        dense(2),
    ),
    "the inputs twice": net(8, dense(35), reading(dense(2, "tanh"), 0), dense(35, "relu"), add(1, 3), dense(3)),
    "an add that reads the inputs": net(8, dense(8, "gelu"), add(1, 0), dense(8, "relu"), add(0, 3, 2), dense(3)),
    "a norm beside the inputs": net(8, layer_norm(), dense(8, "relu"), add(2, 0, 1), dense(3)),
}  # fmt: skip
WITH_DROPOUT = [
    name for name, (_, given) in BRANCHES.items() if any(operation["kind"] == "dropout" for operation in given)
]
