"""Descriptions: the small frozen dataclasses that layers, losses, optimizers and schedules are.

They compare by value, print as the call that makes them, and go to JSON and back without anything being executed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from inspect import Parameter, Signature
from typing import Any, dataclass_transform

from fastnn._engine.environment import standard_environment
from fastnn._input import checks
from fastnn._input.calls import Hinting


@dataclass_transform(frozen_default=True)
def description(cls: Any = None, *, kw_only: bool = False) -> Any:
    """Make a subclass of `Description` a dataclass.

    `Description` itself provides what a dataclass would compile from text for each class, which for all of them takes
    as long as importing the rest.
    """
    make = dataclasses.dataclass(init=False, repr=False, eq=False, match_args=False, kw_only=kw_only)
    return make if cls is None else make(cls)


class _Signature:
    """What `inspect.signature` asks a class for."""

    def __get__(self, instance: object, cls: Any) -> Any:
        parameters = []
        for field in sorted(dataclasses.fields(cls), key=lambda field: bool(field.kw_only)):
            kind = Parameter.KEYWORD_ONLY if field.kw_only else Parameter.POSITIONAL_OR_KEYWORD
            default = Parameter.empty if field.default is dataclasses.MISSING else field.default
            parameters.append(Parameter(field.name, kind, default=default, annotation=field.type))
        return Signature(parameters)


@description
class Description(Hinting):
    """The base of every description."""

    __signature__ = _Signature()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name, fields = type(self).__name__, dataclasses.fields(self)
        positional = [field.name for field in fields if not field.kw_only]
        if len(args) > len(positional):
            raise self._bad_call(len(args))
        given = dict(zip(positional, args, strict=False))
        for key, value in kwargs.items():
            if key in given:
                raise TypeError(f"{name}() got multiple values for argument {key!r}")
            given[key] = value
        missing = []
        for field in fields:
            value = given.pop(field.name, field.default)
            if value is dataclasses.MISSING:
                missing.append(field.name)
                continue
            object.__setattr__(self, field.name, value)
        if given or missing:
            raise self._bad_call(len(args), given, missing)
        finish = getattr(type(self), "__post_init__", None)
        if finish is not None:
            finish(self)

    def _bad_call(self, n_given: int, unknown: Iterable[str] = (), missing: Iterable[str] = ()) -> TypeError:
        from fastnn._input import suggestions  # here, as only errors need it

        fields = dataclasses.fields(self)
        n_positional = sum(not field.kw_only for field in fields)
        names = [field.name for field in sorted(fields, key=lambda field: bool(field.kw_only))]
        return suggestions.bad_call(type(self).__name__, unknown, missing, names, n_positional, n_given)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in vars(self) or name not in self.__dataclass_fields__:
            raise dataclasses.FrozenInstanceError(f"{type(self).__name__} cannot be changed; make a new one")
        object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        raise dataclasses.FrozenInstanceError(f"{type(self).__name__} cannot be changed; make a new one")

    def __eq__(self, other: object) -> bool:
        return vars(self) == vars(other) if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), *vars(self).items()))

    def __repr__(self) -> str:
        required, optional = [], []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                required.append(repr(value))
            elif value != field.default:
                optional.append(f"{field.name}={value!r}")
        return f"{type(self).__name__}({', '.join(required + optional)})"

    def _set(self, **values: Any) -> None:
        """Set fields of the frozen object while it is being made."""
        for name, value in values.items():
            object.__setattr__(self, name, value)


def to_data(value: Any) -> Any:
    """Return a description, or a value of one of its fields, as what JSON can hold."""
    if isinstance(value, Description):
        names = [field.name for field in dataclasses.fields(value)]
        return {"type": type(value).__name__, **{name: to_data(getattr(value, name)) for name in names}}
    if isinstance(value, (tuple, list)):
        return [to_data(item) for item in value]
    return value


def from_data(data: Any, classes: Iterable[type], argument: str) -> Any:
    """Return the description that ``to_data`` made ``data`` of; it may hold descriptions of ``classes`` only."""
    by_name = {cls.__name__: cls for cls in classes}

    def build(item: Any) -> Any:
        if isinstance(item, dict):
            fields = dict(item)
            cls = by_name[checks.choice(fields.pop("type", None), by_name, f"the type of {argument}")]
            return cls(**{name: build(value) for name, value in fields.items()})
        if isinstance(item, list):
            return tuple(build(value) for value in item)
        return item

    try:
        return build(data)
    except RecursionError:
        raise ValueError(f"{argument} must not hold others so deeply") from None


def to_text(data: Any) -> str:
    """Return what JSON can hold as text."""
    import json

    with standard_environment():  # writing a number as text calculates
        return json.dumps(data)


def from_text(text: str) -> Any:
    """Return what ``to_text`` made ``text`` of.

    Raises
    ------
    ValueError
        If it is not JSON.
    """
    import json

    try:
        with standard_environment():
            return json.loads(text)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
