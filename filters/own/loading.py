"""The filters of a folder as modules of this process, made from text that the server sent.

The server decides which version of a file is in use, so that nothing here is read from the folder
itself: neither filters nor the files beside them (`_name.py`) that they import.
"""

import importlib.abc
import importlib.machinery
import linecache
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import CodeType, ModuleType

from filters.own.api import Context, Message, Verdict

Check = Callable[[Message, Context], Verdict | None]
MAX_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class OwnFilter:
    """One loaded filter; `timeout` in seconds, None where its file says nothing."""

    check: Check
    shadow: bool
    timeout: float | None


class LoadError(Exception):
    """The file is no filter; the text says what it lacks."""


class _Helpers(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Serves the files beside the filters."""

    def __init__(self, sources: Mapping[str, tuple[str, str]]) -> None:
        self._sources = sources

    def find_spec(
        self, fullname: str, _path: object = None, _target: object = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self._sources:
            return None
        return importlib.machinery.ModuleSpec(fullname, self, origin=self._sources[fullname][0])

    def get_source(self, fullname: str) -> str:
        path, source = self._sources[fullname]
        _remember(path, source)
        return source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.get_source(fullname), self._sources[fullname][0], "exec")

    def exec_module(self, module: ModuleType) -> None:
        exec(self.get_code(module.__name__), module.__dict__)  # noqa: S102


def use_helpers(sources: Mapping[str, tuple[str, str]]) -> None:
    """Makes files importable by name: path and text of each."""
    sys.meta_path.insert(0, _Helpers(sources))


def load(name: str, path: str, source: str) -> OwnFilter:
    """The filter in `source`. Raises LoadError, and whatever the file itself raises."""
    _remember(path, source)
    module = ModuleType(f"own_filter_{name}")
    module.__file__ = path
    sys.modules[module.__name__] = module
    exec(compile(source, path, "exec"), module.__dict__)  # noqa: S102
    check = getattr(module, "check", None)
    if not callable(check):
        raise LoadError("there is no function check(message, context) in it")
    return OwnFilter(check, _shadow(module), _timeout(module))


def _shadow(module: ModuleType) -> bool:
    shadow = getattr(module, "SHADOW", False)
    if not isinstance(shadow, bool):
        raise LoadError("SHADOW is True or False")
    return shadow


def _timeout(module: ModuleType) -> float | None:
    timeout = getattr(module, "TIMEOUT", None)
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise LoadError("TIMEOUT is a number of seconds")
    if not 0 < timeout <= MAX_TIMEOUT:
        raise LoadError(f"TIMEOUT is above 0 and at most {MAX_TIMEOUT:g} seconds")
    return float(timeout)


def _remember(path: str, source: str) -> None:
    """So that tracebacks show the lines in use, not those that stand in the file meanwhile."""
    linecache.cache[path] = (len(source), None, source.splitlines(keepends=True), path)
