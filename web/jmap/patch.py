"""PatchObject (RFC 8620 §5.3): paths without the first slash, and the value there. Pure."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from web.jmap.errors import SetError

MAX_DEPTH: Final = 16


def patched(value: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """The object with the patch applied; null removes what is at the path. Raises SetError:
    invalidPatch.
    """
    split = {name: _tokens(name) for name in patch}
    _check_overlap(list(split.values()))
    found: dict[str, Any] = deepcopy(dict(value))
    for name, tokens in split.items():
        parent: Any = found
        for token in tokens[:-1]:
            parent = parent.get(token)
            if not isinstance(parent, dict):
                raise _invalid(f"{name}: the part before the last slash is not there")
        if patch[name] is None and len(tokens) > 1:
            parent.pop(tokens[-1], None)
        else:
            parent[tokens[-1]] = patch[name]
    return found


def _tokens(name: str) -> tuple[str, ...]:
    if name.count("/") >= MAX_DEPTH:
        raise _invalid("a path has too many parts")
    return tuple(one.replace("~1", "/").replace("~0", "~") for one in name.split("/"))


def _check_overlap(paths: list[tuple[str, ...]]) -> None:
    """No path may be the beginning of another."""
    present = set(paths)
    for path in paths:
        for length in range(1, len(path)):
            if path[:length] in present:
                raise _invalid(f"{'/'.join(path[:length])} and a path below it are both given")


def _invalid(text: str) -> SetError:
    return SetError("invalidPatch", text)
