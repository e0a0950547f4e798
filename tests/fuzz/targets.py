"""What is fuzzed: for each target real files to begin with, a way to change one, and what is done with the result.

``run`` lets only exceptions out that are not documented. What a reader lets through has to work: it is used, too.
"""

import contextlib
import json
import pickle
import random
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

import fastnn as fn
from fastnn import records, tables
from fastnn._storage import files
from fuzz import mutate

DOCUMENTED = (ValueError, OSError, MemoryError)
X = np.random.default_rng(7).normal(size=(24, 5)).astype(np.float32)
Y = np.arange(24) % 3


@dataclass(frozen=True)
class Target:
    """``run`` gets a path to content and says what came of it: ``"refused"`` or ``"read"``. It may need a library."""

    suffix: str
    seeds: Callable[[Path], list[bytes]]
    change: Callable[[bytes, random.Random], bytes]
    run: Callable[[Path], str]
    needs: str = "numpy"


def trainer(optimizer="adam", **options) -> fn.Trainer:
    layers = [fn.Input(5), fn.Dense(4, "relu"), fn.Dropout(0.25), fn.LayerNorm(), fn.Dense(3)]
    result = fn.Trainer(fn.Network(layers, seed=1), "cross_entropy", optimizer, 8, **options)
    result.network.metadata = {"name": "seed", "numbers": [1, 2.5]}
    return result


# ------------------------------------------------------------- model files


def _parts(content: bytes) -> tuple[dict, dict]:
    """What a file holds, whatever its checksums say."""
    from safetensors import deserialize
    from safetensors.numpy import load

    deserialize(content)
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    return json.loads(header["__metadata__"]["fastnn"]), load(content)


def seal(metadata: dict, tensors: dict, folder: Path) -> bytes:
    """A file of these with checksums that are right."""
    metadata = {name: item for name, item in metadata.items() if name not in ("crc32", "sha256")}
    parameters = {name: array for name, array in tensors.items() if "/" not in name}
    if "digest" in metadata:
        metadata["digest"] = files.digest(parameters)
    path = folder / "sealed"
    files.write(path, tensors, metadata)
    return path.read_bytes()


def _change_model(content: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.1:
        return mutate.of_bytes(content, chance)
    try:
        metadata, tensors = _parts(content)
    except Exception:  # what earlier changes made is no longer a file of this kind
        return mutate.of_bytes(content, chance)
    if chance.random() < 0.3 and tensors:
        name = chance.choice(list(tensors))
        kind = chance.randrange(4)
        if kind == 0:
            del tensors[name]
        elif kind == 1:
            tensors[chance.choice([*tensors, "optimizer/x", "9.weight", "a"])] = tensors.pop(name)
        else:
            tensors[name] = mutate.of_array(tensors[name], chance)
    else:
        metadata = mutate.of_data(metadata, chance)
    try:
        return seal(metadata, tensors, FOLDER)
    except (TypeError, ValueError, AttributeError):  # such metadata or tensors cannot be written
        return mutate.of_bytes(content, chance)


def _network_seeds(folder: Path) -> list[bytes]:
    layers = [fn.Input(5), fn.Dense(4, fn.Activation("elu", 0.5), weight_initializer=fn.initializers.Constant(0.1))]
    others = [fn.Activation("gelu"), fn.Dense(3, "softmax", bias_initializer="zeros")]
    networks = [trainer().network, fn.Network([*layers, *others], seed=2, dtype="float64"), _table_model().network]
    return [_saved(network, folder) for network in networks]


def _trainer_seeds(folder: Path) -> list[bytes]:
    schedule = fn.ReduceOnPlateau(0.01, patience=1)
    made = [
        trainer(class_weight="balanced", metrics=[fn.metrics.TopK(2)]),
        trainer(fn.SGD(schedule, momentum=0.9)),
        trainer(fn.AdamW(fn.Warmup(fn.OneCycle(0.01, 20), 4), amsgrad=True)),
        trainer(fn.NAdam()),
    ]
    found = []
    for one in made:
        one.fit(X, Y, 2, validation_data=(X, Y), callbacks=fn.EarlyStopping(1))
        found.append(_saved(one, folder))
    stopper = fn.LambdaCallback(on_step_end=lambda trainer, step: trainer.stop() if step == 2 else None)
    made[0].fit(X, Y, 1)
    halfway = trainer("rmsprop")
    halfway.fit(X, Y, 1, callbacks=stopper)
    return [*found, _saved(halfway, folder)]


def _saved(model, folder: Path) -> bytes:
    path = folder / "seed"
    model.save(path)
    return path.read_bytes()


def _run_network(path: Path) -> str:
    try:
        network = fn.Network.load(path)
    except DOCUMENTED:
        return "refused"
    if network.n_features < 10**6:
        network.predict(np.ones((2, network.n_features), network.dtype))
    if f"{network.n_parameters:,}" not in network.summary() + repr(network):
        raise AssertionError("expected the number of parameters")
    network.save(path)
    if fn.Network.load(path) != network:
        raise AssertionError("expected the network that was saved")
    with contextlib.suppress(DOCUMENTED):
        tables.TableModel.load(path)
    return "read"


def _run_trainer(path: Path) -> str:
    try:
        found = fn.Trainer.load(path, threads=1)
    except DOCUMENTED:
        return "refused"
    if (isinstance(found.batch_size, int) and found.batch_size > 10**6) or found.network.n_features != 5:
        return "read"
    if repr(pickle.loads(pickle.dumps(found))) != repr(found) or len(found.history.last()) != len(found.history):
        raise AssertionError("expected the trainer that was pickled")
    found.save(path)
    again = fn.Trainer.load(path)
    try:
        found.fit(X, Y, 1, validation_data=(X, Y), callbacks=fn.EarlyStopping(1))
    except (ValueError, TypeError, fn.DivergedError):  # the data need not be those of the epoch under way
        return "read"
    found.evaluate(X, Y)
    again.fit(X, Y, 1, validation_data=(X, Y), callbacks=fn.EarlyStopping(1))
    if again.network.digest() != found.network.digest():
        raise AssertionError("expected the same bits of a trainer that was saved and loaded")
    return "read"


# ---------------------------------------------------------------- records


def _record_seeds(folder: Path) -> list[bytes]:
    one = trainer(fn.Adam(fn.schedules.Cosine(0.01, 30)), metrics=[fn.metrics.TopK(2)])
    one.fit(X, Y, 3, validation_data=(X, Y))
    more = {
        "results": {"confusion": [[1, 2, 0], [0, 3, 1], [2, 2, 2]]},
        "data": {"name": "n", "classes": ["a", "b", "c"]},
    }
    records.write(folder / "seed", records.run_record(one, X, Y, validation_data=(X, Y), **more))
    return [(folder / "seed").read_bytes()]


def _run_record(path: Path) -> str:
    from fastnn.plot import _run

    try:
        found = _run.of(path)
    except DOCUMENTED:
        return "refused"
    for entry in ("epochs", "steps_per_epoch", "confusion"):
        getattr(found, entry)
    records.write(path, found.record)
    try:
        _reproduce(path)
    except (*DOCUMENTED, fn.DivergedError):
        pass
    return "read"


def _reproduce(path: Path) -> None:
    from fastnn.reproduction import reproduce

    training = records.read(path)["training"]
    if isinstance(training["epochs"], int) and training["epochs"] < 50:
        reproduce(path, X, Y, validation_data=(X, Y))


def _run_page(path: Path) -> str:
    import matplotlib as mpl

    mpl.use("agg")
    from fastnn import plot

    try:
        plot.page(path, path.with_suffix(".html"))
    except DOCUMENTED:
        return "refused"
    return "read"


# ----------------------------------------------------------------- tables


TABLE = {
    "age": [31.5, None, 47.0, 22.0, 64.0, 35.0, 41.0] * 4,
    "town": ["Bonn", "Kiel", "Kiel", None, "Bonn", "Köln", "Bonn"] * 4,
    "member": [True, False, None, True, True, False, True] * 4,
    "id": list(range(28)),
    "seen": [None if day == 3 else f"2024-02-{day:02}T{day % 24:02}:30:00" for day in range(1, 29)],
}


def _table_model() -> tables.TableModel:
    preprocessor = tables.Preprocessor(min_rows=1).fit(TABLE)
    target = tables.Classes.fit("town", TABLE["town"][:3] * 9)
    network = fn.Network([fn.Input(len(preprocessor.features)), fn.Dense(target.n_outputs)], seed=3)
    model = tables.TableModel(preprocessor, network, target)
    network.metadata = {"table": model.describe()}
    return model


def _preprocessor_seeds(_: Path) -> list[bytes]:
    return [_table_model().preprocessor.to_json().encode()]


def _run_preprocessor(path: Path) -> str:
    text = path.read_bytes().decode("utf-8", "replace")
    try:
        found = tables.Preprocessor.from_json(text)
    except DOCUMENTED:
        return "refused"
    if tables.Preprocessor.from_json(found.to_json()).to_json() != found.to_json():
        raise AssertionError("expected the same description")
    try:
        matrix = found.transform(TABLE)
    except DOCUMENTED:
        return "read"
    if not np.isfinite(matrix).all():
        raise AssertionError("expected finite numbers")
    return "read"


def _csv_seeds(_: Path) -> list[bytes]:
    quoted = 'name;"a, b";c\n"x ""y""";1,5;1\nz;NA;2\n"line\nbreak";3e5;3\n'
    plain = "age,town,member,when\n31,Bonn,true,2024-02-29\n,Kiel,false,2024-03-01\n1e400,NA,,\n"
    return [quoted.encode(), plain.encode(), b"\xef\xbb\xbfa\tb\r\n1\t2\r\n\r\n", b"a\n1\n\n2\n"]


def _columns() -> Any:
    import polars as pl

    numbers = pl.Series("number", [1.5, None, float("nan"), -3e300], pl.Float64)
    texts = pl.Series("town", ["Kiel", "Bonn", None, "Kiel"], pl.Categorical)
    whole = pl.Series("whole", [1, 2**62, -5, None], pl.Int64)
    when = pl.Series("when", [0, 2**50, -(2**50), None]).cast(pl.Datetime("us", "UTC"))
    price = pl.Series("price", [Decimal("1.5"), None, Decimal("12345678901234567.5"), Decimal(-3)])
    flag = pl.Series("flag", [True, None, False, True])
    return pl.DataFrame([numbers, texts, whole, flag, when, price, (when - when[0]).rename("for")])


def _parquet_seeds(folder: Path) -> list[bytes]:
    found = []
    for compression in ("uncompressed", "zstd", "snappy"):
        _columns().write_parquet(folder / "seed", compression=compression, row_group_size=2)
        found.append((folder / "seed").read_bytes())
    return found


def _arrow_seeds(folder: Path) -> list[bytes]:
    found = []
    for compression in ("uncompressed", "lz4"):
        _columns().write_ipc(folder / "seed", compression=compression)
        found.append((folder / "seed").read_bytes())
    return found


def _run_table(path: Path) -> str:
    from fastnn._readers.polars_tables import TableFile

    try:
        file = TableFile(str(path))
        part = file.read()
    except DOCUMENTED:
        return "refused"
    with contextlib.suppress(*DOCUMENTED):
        tables.Preprocessor(min_rows=1).fit(part.columns).transform(part.columns)
    kinds = dict(zip(part.columns, ["number", "boolean", "text", "name"], strict=False))
    try:
        if sum(len(batch.rows) for batch in file.batches(kinds, 3)) != len(part.rows):
            raise AssertionError("expected the same number of rows in batches")
    except DOCUMENTED:
        pass
    return "read"


# ------------------------------------------------------------------- ONNX


def _onnx_seeds(folder: Path) -> list[bytes]:
    import fastnn.onnx

    found = []
    layers = [fn.Input(5), fn.Dense(4, "gelu"), fn.LayerNorm(), fn.Dense(3, fn.Activation("elu", 0.5))]
    for dtype in ("float32", "float64"):
        fastnn.onnx.export(fn.Network(layers, dtype=dtype), folder / "seed", activation="softmax")
        found.append((folder / "seed").read_bytes())
    fastnn.onnx.export(fn.Network([fn.Input(3), fn.Dense(2, "relu")], dtype="float64"), folder / "seed")
    return [*found, *map(_foreign, [found[0], (folder / "seed").read_bytes()])]


def _foreign(content: bytes) -> bytes:
    """The same graph, as another program would write it."""
    import onnx

    model = onnx.load_model_from_string(content)
    del model.metadata_props[:]
    return model.SerializeToString()


def _change_onnx(content: bytes, chance: random.Random) -> bytes:
    import onnx

    from fastnn.onnx.models import DESCRIPTION, STRUCTURE, structure

    if chance.random() < 0.1:
        return mutate.of_bytes(content, chance)
    try:
        model = onnx.load_model_from_string(content)
    except Exception:  # what earlier changes made is no longer a model
        return mutate.of_bytes(content, chance)
    properties = {entry.key: entry for entry in model.metadata_props}
    if DESCRIPTION in properties and isinstance(properties[DESCRIPTION].value, str) and chance.random() < 0.5:
        changed = mutate.of_json(properties[DESCRIPTION].value.encode(), chance)
        properties[DESCRIPTION].value = changed.decode("utf-8", "replace")
    else:
        for _ in range(chance.choice((1, 1, 2, 4))):
            mutate.of_message(model.graph if chance.random() < 0.8 else model, chance)
    if STRUCTURE in properties and chance.random() < 0.7:
        names = [tensor.name for tensor in model.graph.initializer if isinstance(tensor.name, str)]
        parameters = [name for name in names if name.partition(".")[0].isdecimal()]
        properties[STRUCTURE].value = structure(model, parameters)
    return model.SerializeToString()


def _run_onnx(path: Path) -> str:
    import fastnn.onnx

    try:
        model = fastnn.onnx.load(path)
    except DOCUMENTED:
        return "refused"
    if isinstance(model, fn.Network) and model.n_features < 10**6:
        model.predict(np.ones((2, model.n_features), model.dtype))
    return "read"


FOLDER = Path()  # where files that are being sealed lie; `use` sets it


def use(folder: Path) -> None:
    """Everything that targets write goes into ``folder``."""
    global FOLDER
    FOLDER = folder
    warnings.simplefilter("ignore")


TARGETS = {
    "network": Target(".safetensors", _network_seeds, _change_model, _run_network),
    "trainer": Target(".safetensors", _trainer_seeds, _change_model, _run_trainer),
    "record": Target(".json", _record_seeds, mutate.of_json, _run_record),
    "page": Target(".json", _record_seeds, mutate.of_json, _run_page, "matplotlib"),
    "preprocessor": Target(".json", _preprocessor_seeds, mutate.of_json, _run_preprocessor),
    "csv": Target(".csv", _csv_seeds, mutate.of_bytes, _run_table, "polars"),
    "parquet": Target(".parquet", _parquet_seeds, mutate.of_bytes, _run_table, "polars"),
    "arrow": Target(".arrow", _arrow_seeds, mutate.of_bytes, _run_table, "polars"),
    "onnx": Target(".onnx", _onnx_seeds, _change_onnx, _run_onnx, "onnx"),
}
