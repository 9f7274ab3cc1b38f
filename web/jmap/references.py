"""References to the results of earlier calls (RFC 8620 §3.7). Pure."""

from collections.abc import Sequence
from typing import Any, Final

from web.jmap.errors import MethodError, invalid_arguments
from web.jmap.octets import Budget, octets_of
from web.jmap.request import Invocation

MAX_TOKENS: Final = 32
MAX_REFERENCES: Final = 100
"""In the arguments of one call."""
_STEP: Final = 16
"""Octets that looking at one item of an array counts as, for what is found may be little."""


def resolved(
    arguments: dict[str, Any], responses: Sequence[Invocation], budget: Budget
) -> dict[str, Any]:
    """The arguments with each "#name" replaced by what it points at, which may double with each
    reference: `budget` bounds all that a request gets so, and the items looked at for it. Raises
    MethodError: invalidResultReference, invalidArguments, requestTooLarge.
    """
    count = sum(name.startswith("#") for name in arguments)
    if not count:
        return arguments
    if count > MAX_REFERENCES:
        raise invalid_arguments(f"more than {MAX_REFERENCES} result references")
    found: dict[str, Any] = {}
    for name, value in arguments.items():
        if not name.startswith("#"):
            found[name] = value
        elif name[1:] in arguments:
            raise invalid_arguments(f"{name[1:]} is given with and without #")
        else:
            found[name[1:]] = pointed_at = _pointed_at(value, responses, budget)
            budget.take(_size(pointed_at))
    return found


def _size(value: Any) -> int:
    try:
        return octets_of(value)
    except TypeError:  # each reference to a reference may be a level deeper
        raise MethodError("requestTooLarge", "the references are too deep") from None


def _pointed_at(reference: Any, responses: Sequence[Invocation], budget: Budget) -> Any:
    match reference:
        case {"resultOf": str(call_id), "name": str(name), "path": str(path)} if (
            len(reference) == 3
        ):
            pass
        case _:
            raise _unresolved("a result reference has resultOf, name and path")
    for one in responses:
        if one.call_id == call_id:
            if one.name != name:
                raise _unresolved(f"the first response to {call_id} is {one.name}, not {name}")
            return evaluate(one.arguments, path, budget)
    raise _unresolved(f"no response to {call_id} stands before")


def evaluate(value: Any, path: str, budget: Budget) -> Any:
    """A JSON pointer (RFC 6901), with `*` for every item of an array (§3.7). Raises MethodError."""
    if not path:
        return value
    if not path.startswith("/") or path.count("/") > MAX_TOKENS:
        raise _unresolved(f"no JSON pointer: {path[:100]}")
    tokens = [one.replace("~1", "/").replace("~0", "~") for one in path[1:].split("/")]
    return _walk(value, tokens, budget)


def _walk(value: Any, tokens: Sequence[str], budget: Budget) -> Any:
    for place, step in enumerate(tokens):
        if step == "*" and isinstance(value, list):
            rest = tokens[place + 1 :]
            flat: list[Any] = []
            budget.take(_STEP * len(value))
            for item in value:
                found = _walk(item, rest, budget)
                flat.extend(found) if isinstance(found, list) else flat.append(found)
            return flat
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and _index(step, len(value)):
            value = value[int(step)]
        else:
            raise _unresolved(f"nothing is at {step[:100]}")
    return value


def _index(step: str, length: int) -> bool:
    """RFC 6901 §4: digits without a leading zero."""
    digits = step.isascii() and step.isdigit() and len(step) < 10
    return digits and (len(step) == 1 or not step.startswith("0")) and int(step) < length


def _unresolved(text: str) -> MethodError:
    return MethodError("invalidResultReference", text)
