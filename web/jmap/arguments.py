"""The arguments of a method call, read by name and type (RFC 8620 §1.2 to §1.4). Pure.

What is not asked for by the time of `end` is unknown, and refused.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from web.jmap.errors import MethodError, invalid_arguments

MAX_INT: Final = 2**53 - 1
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,255}")
_UTC_DATE: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?Z")


class Arguments:
    """Members of an object, each taken once."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._left = dict(members)

    def given(self, name: str) -> bool:
        """Whether it is there, null included."""
        return name in self._left

    def any(self, name: str) -> Any:
        """Whatever it is; None where it is absent or null."""
        return self._left.pop(name, None)

    def id(self, name: str) -> str:
        """An Id."""
        value = self._left.pop(name, None)
        if not is_id(value):
            raise invalid_arguments(f"{name}: an Id is needed")
        return str(value)

    def ids(self, name: str) -> list[str] | None:
        """Ids without doubles, None for null or none given."""
        value = self._left.pop(name, None)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise invalid_arguments(f"{name}: an array of Ids or null is needed")
        return list(dict.fromkeys(value))

    def names(self, name: str, known: Sequence[str] | frozenset[str]) -> list[str] | None:
        """Strings out of `known`, None for null or none given."""
        found = self.texts(name)
        if found is not None and (unknown := [one for one in found if one not in known]):
            raise invalid_arguments(f"{name}: {unknown[0][:100]} is not known")
        return found

    def texts(self, name: str) -> list[str] | None:
        """Strings without doubles, None for null or none given."""
        value = self._left.pop(name, None)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise invalid_arguments(f"{name}: an array of strings or null is needed")
        return list(dict.fromkeys(value))

    def text(self, name: str) -> str | None:
        """A string, None for null or none given."""
        value = self._left.pop(name, None)
        if value is not None and not isinstance(value, str):
            raise invalid_arguments(f"{name}: a string or null is needed")
        return value

    def needed_text(self, name: str) -> str:
        """A string."""
        if (value := self.text(name)) is None:
            raise invalid_arguments(f"{name}: a string is needed")
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """A Boolean."""
        value = self._left.pop(name, default)
        if not isinstance(value, bool):
            raise invalid_arguments(f"{name}: true or false is needed")
        return value

    def number(self, name: str, default: int = 0) -> int:
        """An Int."""
        value = self._left.pop(name, default)
        if not is_int(value):
            raise invalid_arguments(f"{name}: an integer within 2^53 is needed")
        return int(value)

    def unsigned(self, name: str) -> int | None:
        """An UnsignedInt, None for null or none given."""
        value = self._left.pop(name, None)
        if value is not None and not (is_int(value) and value >= 0):
            raise invalid_arguments(f"{name}: an unsigned integer or null is needed")
        return None if value is None else int(value)

    def object(self, name: str) -> dict[str, Any] | None:
        """An object, None for null or none given."""
        value = self._left.pop(name, None)
        if value is not None and not isinstance(value, dict):
            raise invalid_arguments(f"{name}: an object or null is needed")
        return value

    def objects(self, name: str) -> dict[str, dict[str, Any]]:
        """An object of objects by Id, empty for null or none given."""
        found = self.object(name) or {}
        if not all(isinstance(one, dict) for one in found.values()):
            raise invalid_arguments(f"{name}: an object of objects is needed")
        return found

    def array(self, name: str) -> list[Any] | None:
        """An array, None for null or none given."""
        value = self._left.pop(name, None)
        if value is not None and not isinstance(value, list):
            raise invalid_arguments(f"{name}: an array or null is needed")
        return value

    def end(self) -> None:
        """Raises MethodError for what nobody asked for."""
        if self._left:
            raise invalid_arguments(f"{min(self._left)[:100]}: there is no such argument")


def is_id(value: Any) -> bool:
    """RFC 8620 §1.2."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def is_int(value: Any) -> bool:
    """RFC 8620 §1.3: an integer that a double holds; true is none."""
    whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    return whole and not isinstance(value, bool) and -MAX_INT <= value <= MAX_INT


def utc_date(value: Any) -> datetime | None:
    """A UTCDate (RFC 8620 §1.4), None for anything else."""
    if not isinstance(value, str) or _UTC_DATE.fullmatch(value) is None:
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def too_many(what: str, limit: int) -> MethodError:
    """requestTooLarge (RFC 8620 §5.1, §5.3)."""
    return MethodError("requestTooLarge", f"more than {limit} {what}")
