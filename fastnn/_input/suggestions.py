"""What an error adds about a name that is not known: what was meant, or how it is done here.

A hint must not mislead. A name of another library leads to ours by `fastnn._input.synonyms`; what is spelt nearly like
one of ours leads to that; for anything else there is no hint.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from fastnn._input.synonyms import ELSEWHERE, LACKING, SYNONYMS

_LIKE = 0.75  # how alike a slip is to what was meant, by difflib's ratio


def plain(name: str) -> str:
    """Return a name without what differs from library to library."""
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def nearest(value: str, choices: Iterable[str], like: float = 0.6) -> str | None:
    """Return the choice that is spelt most like ``value``, if one is."""
    by_plain = {plain(choice): choice for choice in reversed(list(choices))}
    found = difflib.get_close_matches(plain(value), by_plain, 1, like)
    return by_plain[found[0]] if found else None


def meant(name: str, choices: Iterable[str]) -> tuple[str, ...]:
    """Return those of ``choices`` that ``name``, which is none of them, was meant for; mostly one, or none."""
    choices = list(choices)
    for alternative in SYNONYMS.get(plain(name), ()):
        names = tuple(alternative.split(" and "))
        if set(names) <= set(choices):
            return names
    near = None if plain(name) in LACKING else nearest(name, choices, _LIKE)
    return () if near is None else (near,)


def hint(name: str, choices: Iterable[str], place: str = "") -> str:
    """Return what to add to an error about ``name``, which is none of ``choices``; nothing if there is nothing to say.

    Parameters
    ----------
    name : str
    choices : iterable of str
    place : str
        A key of ``ELSEWHERE``.
    """
    sentence = _elsewhere(place, name)
    if sentence is None and (names := meant(name, choices)):
        return f" (did you mean {' and '.join(map(repr, names))}?)"
    if sentence is None:
        sentences = (_elsewhere(place, other) for other in SYNONYMS.get(plain(name), ()))
        sentence = next((found for found in sentences if found is not None), None)
    if sentence is None and plain(name) not in LACKING:
        near = nearest(name, ELSEWHERE.get(place, ()), _LIKE)
        sentence = None if near is None else ELSEWHERE[place][near]
    return "" if sentence is None else f": {sentence}"


def _elsewhere(place: str, name: str) -> str | None:
    """Return what to do instead of ``name`` at a place."""
    return next((text for key, text in ELSEWHERE.get(place, {}).items() if plain(key) == plain(name)), None)


def bad_call(
    name: str, unknown: Iterable[str], missing: Iterable[str], names: list[str], n_positional: int, n_given: int
) -> TypeError:
    """Make the error of a call whose arguments do not fit.

    Parameters
    ----------
    name : str
        Of what was called.
    unknown, missing : iterable of str
        Arguments that it does not take, and that it lacks.
    names : list of str
        What it takes.
    n_positional, n_given : int
        How many of them may stand without their names, and how many did.
    """
    place = f"{name}()"
    for given in unknown:
        added = hint(given, names, place) or (f"; it takes {', '.join(names)}" if names else "; it takes none")
        return TypeError(f"{place} got an unexpected argument {given!r}{added}")
    for lacking in missing:
        sentence = _elsewhere(place, lacking)
        return TypeError(f"{place} is missing the argument {lacking!r}{'' if sentence is None else f': {sentence}'}")
    sentence = _elsewhere(place, "*")
    added = "" if sentence is None else f": {sentence}"
    return TypeError(f"{place} takes at most {n_positional} positional arguments; got {n_given}{added}")


def missing_name(name: str, choices: Iterable[str]) -> AttributeError:
    """Make the error of a name that the package lacks; names with an underscore get no hint."""
    added = "" if name.startswith("_") else hint(name, [choice for choice in choices if choice[0] != "_"], "fastnn")
    # The name is told to Python without the module: it would add a guess of its own.
    return AttributeError(f"module 'fastnn' has no attribute {name!r}{added}", name=name)
