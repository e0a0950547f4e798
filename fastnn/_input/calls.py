"""Calls with arguments that do not fit, and attributes that are not there: errors that say what was meant."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

from fastnn._input.elsewhere import ELSEWHERE

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Class = TypeVar("_Class")


class Guarded:
    """The base of classes some of whose attributes would change nothing, or break the object, if they were set."""

    # What is set once, by the object itself; and what does what setting an attribute would be meant to do, by name.
    _FIXED: ClassVar[frozenset[str]] = frozenset()
    _INSTEAD: ClassVar[Mapping[str, str]] = {}

    if not TYPE_CHECKING:  # type checkers find such mistakes by themselves

        def __setattr__(self, name: str, value: Any) -> None:
            # Not by `vars`: an object that was asked for its dict once is slower from then on.
            if hasattr(self, name) if name in self._FIXED else name in self._INSTEAD:
                instead = f": {self._INSTEAD[name]}" if name in self._INSTEAD else ""
                raise AttributeError(f"{name!r} of a {type(self).__name__} cannot be set{instead}")
            super().__setattr__(name, value)


class Hinting:
    """The base of classes whose objects are asked for what other libraries have."""

    if not TYPE_CHECKING:  # type checkers find such mistakes by themselves

        def __getattr__(self, name: str) -> NoReturn:
            from fastnn._input import suggestions

            raise suggestions.missing_attribute(f"{type(self).__name__!r} object", name, dir(self), type(self).__mro__)


class Elsewhere:
    """An attribute of other libraries: reading it is an error that says how that is done here."""

    def __init__(self, name: str, sentence: str) -> None:
        self.name, self.__doc__ = name, sentence

    def __get__(self, instance: Any, owner: type) -> Elsewhere:
        if instance is None:
            return self
        problem = f"{owner.__name__!r} object has no attribute {self.name!r}: {self.__doc__}"
        raise AttributeError(problem, name=self.name)  # without the object: Python would add a guess of its own


def hinting(cls: type[_Class]) -> type[_Class]:
    """Let objects of ``cls`` do as those of `Hinting`, for names that are known before.

    A ``__getattr__`` makes every attribute slow to read, and a prediction longer by a tenth.
    """
    known = ELSEWHERE[cls.__name__]
    for name, sentence in known.items():
        setattr(cls, name, Elsewhere(name, sentence))
    cls.__dir__ = lambda self: [name for name in object.__dir__(self) if name not in known]  # type: ignore[method-assign]
    return cls


def explained(function: _Function) -> _Function:
    """Make calls of ``function`` with an unknown or a missing argument say what was meant.

    A call that fits costs one more call of Python; `Network.predict` and `Trainer.step`, which may take less than a
    microsecond, go without. The signature and the types stay as they are.
    Not for functions that take ``*args`` or ``**keywords``.
    """

    @functools.wraps(function)
    def call(*args: Any, **keywords: Any) -> Any:
        try:
            return function(*args, **keywords)
        except TypeError as error:
            if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                raise  # from within the function
            raise _explanation(function, args, keywords, error) from None

    return call  # type: ignore[return-value]


def _explanation(
    function: Callable[..., Any], args: tuple[Any, ...], keywords: dict[str, Any], error: TypeError
) -> TypeError:
    """Return the error of a call that did not get as far as the function."""
    import inspect

    from fastnn._input import suggestions

    parameters = list(inspect.signature(function).parameters.values())
    name = function.__qualname__.removesuffix(".__init__")
    if parameters and parameters[0].name in ("self", "cls"):
        parameters, args = parameters[1:], args[1:]
    if any(parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) for parameter in parameters):
        return error
    names = [parameter.name for parameter in parameters]
    positional = [parameter.name for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY]
    taken = {*positional[: len(args)], *keywords}
    for twice in set(positional[: len(args)]) & keywords.keys():
        return TypeError(f"{name}() got multiple values for argument {twice!r}")
    unknown = [given for given in keywords if given not in names]
    required = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
    missing = [lacking for lacking in required if lacking not in taken]
    if not unknown and not missing and len(args) <= len(positional):
        return error
    return suggestions.bad_call(name, unknown, missing, names, len(positional), len(args))
