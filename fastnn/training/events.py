"""What callbacks are told, and who has yet to hear of it."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import FunctionType
from typing import Any

from fastnn._input import checks
from fastnn.callbacks import Callback
from fastnn.schedules import Schedule

_EVENTS = tuple(name for name in vars(Callback) if name.startswith("on_"))


class Event:
    """A call that every callback gets, and who has yet to get it.

    A save by one of them, or an exception, comes before the others have heard: the next ``fit`` tells those first.

    Parameters
    ----------
    name : str
        The method.
    arguments : sequence
        After the trainer.
    waiting : iterable of Callback or str
        From a file, the keys that their states have there.
    """

    def __init__(self, name: str, arguments: Sequence[Any], waiting: Iterable[Callback | str]) -> None:
        self.name = name
        self.arguments = arguments
        self.waiting = list(waiting)

    def tell(self, trainer: Any) -> None:
        """Call the method of each that waits."""
        while self.waiting:
            callback: Any = self.waiting.pop(0)
            try:
                getattr(callback, self.name)(trainer, *self.arguments)
            except TypeError as error:
                if error.__traceback__ is None or error.__traceback__.tb_next is not None:
                    raise  # from within the method
                given = ", ".join(inspect.signature(getattr(Callback, self.name)).parameters)
                raise TypeError(
                    f"{type(callback).__name__}.{self.name} must take ({given.removeprefix('self, ')}); {error}"
                ) from None

    def narrow_to(self, named: Mapping[str, Callback]) -> None:
        """Let these callbacks, by key, be the ones there are now; others will not hear of it."""
        waiting = [named.get(item) if isinstance(item, str) else item for item in self.waiting]
        self.waiting = [callback for callback in named.values() if any(callback is item for item in waiting)]


def keyed(callbacks: Iterable[Callback]) -> Iterator[tuple[str, Callback]]:
    """Give each callback the name that its state has in a file: its class, and which of that class it is."""
    counts: Counter[str] = Counter()
    for callback in callbacks:
        name = type(callback).__name__
        yield f"{name}.{counts[name]}", callback
        counts[name] += 1


def overrides(callback: Callback, name: str) -> bool:
    """Tell whether a callback has a method of its own of this name."""
    return getattr(type(callback), name) is not getattr(Callback, name) or name in vars(callback)


def checked_callbacks(callbacks: Any) -> tuple[Callback, ...]:
    """Return ``callbacks`` as a tuple; one callback stands for itself."""
    given = checks.listed(callbacks, (Callback, Schedule, type, str, FunctionType), "callbacks")
    for callback in given:
        if not isinstance(callback, Callback):
            hint = f": write {callback.__name__}(...)" if isinstance(callback, type) else ""
            if isinstance(callback, FunctionType):
                hint = ": fn.LambdaCallback(on_epoch_end=…) makes one of a function"
            if isinstance(callback, Schedule):
                hint = f": it is for the optimizer, optimizer=fn.Adam({callback!r})"
            raise TypeError(f"callbacks must hold fastnn.Callback objects; got {checks.described(callback)}{hint}")
        _check_events(callback)
    return given


def _check_events(callback: Callback) -> None:
    """Raise if a method has the name of an event elsewhere, or nearly that of one here: nothing would call it."""
    for name in dir(type(callback)):
        if name.startswith("on_") and name not in _EVENTS:
            hint = checks.hint(name, _EVENTS, "event")
            if hint and not any(overrides(callback, event) for event in _EVENTS if repr(event) in hint):
                raise TypeError(f"nothing calls {type(callback).__name__}.{name}{hint}")
