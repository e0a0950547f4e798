"""What an error adds about a name that is not known: what was meant, or how it is done here.

A hint must not mislead. A name of another library leads to ours by `fastnn._input.synonyms`, or to another way by
`fastnn._input.elsewhere`; what is spelt nearly like one of ours leads to that; for anything else there is no hint.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from fastnn._input.elsewhere import ELSEWHERE
from fastnn._input.synonyms import LACKING, SYNONYMS

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
    choices, sentence = list(choices), _elsewhere(place, name)
    if sentence is None and (names := meant(name, choices)):
        return f" (did you mean {' and '.join(map(repr, names))}?)"
    if sentence is None:
        sentences = (_elsewhere(place, other) for other in SYNONYMS.get(plain(name), ()))
        sentence = next((found for found in sentences if found is not None), None)
    if sentence is None and plain(name) not in LACKING:
        near = nearest(name, ELSEWHERE.get(place, ()), _LIKE)
        sentence = None if near is None else ELSEWHERE[place][near]
    if sentence is None or (sentence[0] == "'" and sentence.split("'")[1] not in choices):
        return ""  # nothing is known, or it leads to a name that this place does not take
    return f": {sentence}"


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


def missing_name(module: str, name: str, own: Iterable[str], package: Iterable[str]) -> AttributeError:
    """Make the error of a name that ``module`` of the package lacks: it has ``own``, and the package ``package``."""
    added = ""
    if name in package:
        added = f": fn.{name}"
    else:
        added = "".join(f" (did you mean {choice!r}?)" for choice in meant(name, own)) or hint(name, (), "fastnn")
        added = added or "".join(f" (did you mean fn.{choice}?)" for choice in meant(name, package))
    return AttributeError(f"module {module!r} has no attribute {name!r}{added}", name=name)


def missing_attribute(owner: str, name: str, choices: Iterable[str], classes: Iterable[type] = ()) -> AttributeError:
    """Make the error of an attribute that ``owner``, of ``classes``, lacks; names with an underscore get no hint."""
    place = next((cls.__name__ for cls in classes if cls.__name__ in ELSEWHERE), "fastnn")
    added = "" if name.startswith("_") else hint(name, [choice for choice in choices if choice[0] != "_"], place)
    # The name is told to Python without the object: it would add a guess of its own.
    return AttributeError(f"{owner} has no attribute {name!r}{added}", name=name)
