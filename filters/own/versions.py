"""Which version of each own filter is in use: a file that does not load leaves the one before it.

A file is tried in a process of its own kind, under its limits; when one ends the process, the rest
are tried in another. Files beside the filters count as one: when a change of theirs breaks a filter
that worked, everything stays as it was.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from filters.own.process import FilterProcess, Loaded, ProcessFailed
from filters.own.sources import Folder, Source

LOAD_SECONDS = 5.0
Start = Callable[[], Awaitable[FilterProcess]]


@dataclass(frozen=True, slots=True)
class Active:
    """A filter in use. `timeout` in seconds."""

    source: Source
    shadow: bool
    timeout: float

    @property
    def name(self) -> str:
        return self.source.name


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file is not used as it is; `kept`: an earlier version of it is in use."""

    name: str
    path: str
    error: str
    line: int = 0
    kept: bool = False

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.error}" + ("; its earlier version is in use" * self.kept)


@dataclass(frozen=True, slots=True)
class Version:
    """What is in use, and what is not. `seen` is the folder as it was read."""

    filters: tuple[Active, ...] = ()
    helpers: tuple[Source, ...] = ()
    problems: tuple[Problem, ...] = ()
    seen: Folder = Folder()


async def next_version(
    old: Version, folder: Folder, start: Start, timeout: float, *, anew: bool = False
) -> Version:
    """The version after `folder` was read. `timeout` is that of filters that say nothing; `anew`:
    every file is tried. Raises what `start` raises when no process can be started.
    """
    paths = {one.path for one in folder.filters}
    known = {one.name: one for one in old.filters if one.source.path in paths}
    changed_helpers = folder.helpers != old.helpers
    fresh = anew or changed_helpers
    same = [one for one in folder.filters if _is_known(one, known) and not fresh]
    tried = [one for one in folder.filters if one not in same and not one.error]
    results = {one.name: one for one in await try_all(tried, folder.helpers, start)}
    version = Version(seen=folder, helpers=folder.helpers)
    for source in folder.filters:
        if source in same:
            version = replace(version, filters=(*version.filters, known[source.name]))
            continue
        loaded = results.get(source.name) or Loaded(source.name, error=source.error)
        version = _with(version, source, loaded, known.get(source.name), timeout)
    if changed_helpers and any(one.kept for one in version.problems):
        return replace(old, problems=version.problems, seen=folder)
    return version


def _is_known(source: Source, known: dict[str, Active]) -> bool:
    return source.name in known and known[source.name].source == source


def _with(
    version: Version, source: Source, loaded: Loaded, old: Active | None, timeout: float
) -> Version:
    if not loaded.error:
        active = Active(source, loaded.shadow, loaded.timeout or timeout)
        return replace(version, filters=(*version.filters, active))
    problem = Problem(source.name, source.path, loaded.error, loaded.line, old is not None)
    filters = version.filters if old is None else (*version.filters, old)
    return replace(version, filters=filters, problems=(*version.problems, problem))


async def try_all(
    sources: Sequence[Source], helpers: Sequence[Source], start: Start
) -> list[Loaded]:
    """How each file loads."""
    found: list[Loaded] = []
    while len(found) < len(sources):
        process = await start()
        try:
            for one in sources[len(found) :]:
                found += await process.load([one], helpers, LOAD_SECONDS)
        except ProcessFailed as failure:
            found.append(Loaded(sources[len(found)].name, error=str(failure)))
        finally:
            await process.kill()
    return found
