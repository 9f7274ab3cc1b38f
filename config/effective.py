"""Every key of the configuration in force, with where its value comes from. Secrets are masked."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from config.fields import Section
from config.lines import KeyLines
from config.load import ENVIRONMENT_PREFIX, Key, key_of
from config.settings import Settings

MASK: Final = "********"
DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class Line:
    """`value` in JSON's types; `origin` is "default", a variable of the environment, or the file's
    name and a line.
    """

    key: str
    value: Any
    origin: str


def effective(
    settings: Settings, path: Path, environment: Mapping[str, str] | None = None
) -> list[Line]:
    """`settings` as they were loaded from `path`. Reads that file: where it was changed
    since, lines are those of today.
    """
    origins = _Origins(path, os.environ if environment is None else environment)
    return [Line(_name(key), value, origins.of(key)) for key, value in _leaves(settings, ())]


class _Origins:
    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self._name = path.name
        try:
            text = path.read_text("utf-8")
            self._tree: Any = tomllib.loads(text)
        except (OSError, ValueError):
            text, self._tree = "", {}
        self._lines = KeyLines(text)
        self._variables = {
            found: name
            for name in environment
            if name.startswith(ENVIRONMENT_PREFIX)
            and (found := key_of(name.removeprefix(ENVIRONMENT_PREFIX).lower())) is not None
        }

    def of(self, key: Key) -> str:
        plain = tuple(part for part in key if isinstance(part, str))
        if plain in self._variables:
            return self._variables[plain]
        for one in (key, (*key[:-1], f"{key[-1]}_file")):
            if self._stands(one):
                return f"{self._name}:{self._lines.find(one)}"
        return DEFAULT

    def _stands(self, key: Key) -> bool:
        found = self._tree
        for part in key:
            if isinstance(part, int):
                if not isinstance(found, list) or part >= len(found):
                    return False
            elif not isinstance(found, dict) or part not in found:
                return False
            found = found[part]
        return True


def _leaves(section: Section, at: Key) -> Iterator[tuple[Key, Any]]:
    shown = section.model_dump(mode="json")
    for name, field in type(section).model_fields.items():
        value, key = getattr(section, name), (*at, name)
        if isinstance(value, Section):
            yield from _leaves(value, key)
        elif isinstance(value, list) and any(isinstance(one, Section) for one in value):
            for number, one in enumerate(value):
                yield from _leaves(one, (*key, number))
        elif isinstance(value, SecretStr):
            plain = value == field.default
            yield key, value.get_secret_value() if plain else MASK
        else:
            yield key, shown[name]


def _name(key: Key) -> str:
    text = ""
    for part in key:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
