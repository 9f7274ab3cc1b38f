"""The own filters of a server: watches their folder, asks them about a message, counts.

Invariants: a filter that fails says nothing, and mail goes on; one that keeps hanging or ending its
process is left out for a while; the folder is looked at in a thread.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.own.pool import NoProcess, Pool
from filters.own.process import FilterProcess, Job, ProcessFailed
from filters.own.sources import Folder, FolderError, Stamp, read_folder, stamp
from filters.own.values import Answer, read_answer
from filters.own.versions import Active, Problem, Version, next_version
from net.threads import Busy, Offload

LOOK_SECONDS = 1.0
# A filter that broke so many processes one after the other rests so long.
PATIENCE = 3
REST_SECONDS = 60.0
_KEYS = ("own", "own_timeout", "own_memory", "own_processes")


@dataclass(slots=True)
class Counts:
    """What one filter did since the server started; `seconds` in all. `broke` counts processes that
    it hung or ended since its last answer; it rests until `rests_until` (monotonic).
    """

    calls: int = 0
    seconds: float = 0.0
    errors: int = 0
    actions: dict[str, int] = field(default_factory=dict)
    last_error: str = ""
    broke: int = 0
    rests_until: float = 0.0


class OwnFilters:
    """`start` watches; without it `look` reads the folder once. `problem`: why it can't be read."""

    def __init__(self, settings: Settings, offload: Offload, clock: Clock, log: Logger) -> None:
        self._offload, self._clock, self.log = offload, clock, log
        self._version = Version()
        self._stamp: Stamp | None = None
        self._counts: dict[str, Counts] = {}
        self._task: asyncio.Task[None] | None = None
        self._looking, self._wake = asyncio.Lock(), asyncio.Event()
        self.problem = ""
        self._chosen = self._wanted = settings.filters
        self._anew = False
        self._pool = self._make_pool()

    def _make_pool(self) -> Pool:
        return Pool(self._offload, self._chosen.own_processes, self._chosen.own_memory)

    async def start(self) -> None:
        """Reads the folder, and watches it from then on."""
        await self.look()
        self._task = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Ends watching and every process."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self._pool.close()

    def reload(self, settings: Settings) -> None:
        """Takes the keys `filters.own*` of a changed configuration, at the next look."""
        self._wanted = settings.filters
        self._wake.set()

    @property
    def active(self) -> tuple[Active, ...]:
        """The filters in use, in their order."""
        return self._version.filters

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What is wrong with files of the folder."""
        return self._version.problems

    async def look(self) -> None:
        """Loads what changed in the folder."""
        async with self._looking:
            try:
                await self._follow()
                folder = await self._offload.disk(self._changed)
                if folder is not None:
                    await self._use(folder)
                self._complain("")
            except (FolderError, NoProcess, OSError, Busy) as error:
                self._complain(str(error))
                self._stamp = None

    async def _follow(self) -> None:
        """Begins anew where the configuration asks for something else; until the filters of another
        folder, or with other bounds, are ready, those in use stay.
        """
        old, self._chosen = self._chosen, self._wanted
        if any(getattr(old, name) != getattr(self._chosen, name) for name in _KEYS):
            self._anew, self._stamp = True, None
        if self._anew and not self._chosen.own:
            await self._change(Version(), self._make_pool())

    async def _change(self, version: Version, pool: Pool) -> None:
        """From here on messages are judged by this version, in processes of that pool."""
        old, self._pool, self._version = self._pool, pool, version
        if old is not pool:
            self._anew = False
            await old.close()

    def _changed(self) -> Folder | None:
        """The folder, or None when it is as it was. Blocks."""
        if not self._chosen.own:
            return None
        folder = Path(self._chosen.own)
        seen = stamp(folder)
        if seen == self._stamp:
            return None
        self._stamp = seen
        return read_folder(folder)

    async def _use(self, folder: Folder) -> None:
        old, anew = self._version, self._anew
        pool = self._make_pool() if anew else self._pool
        timeout = self._chosen.own_timeout
        version = await next_version(old, folder, pool.start, timeout, anew=anew)
        pool.use(version)
        if not anew:
            self._version = version  # the pool knows no other from here on
        try:
            if version.filters:
                await pool.warm()
        finally:
            await self._change(version, pool)
        changed = {one.name for one in version.filters} - {
            one.name for one in old.filters if one in version.filters
        }
        for name in changed:
            counts = self._counts.setdefault(name, Counts())
            counts.broke, counts.rests_until = 0, 0.0
        for problem in version.problems:
            self.log.error(
                "own filter not usable",
                filter=problem.name,
                file=problem.path,
                line=problem.line,
                reason=problem.error,
                earlier_version_in_use=problem.kept,
            )
        names = [one.name + " (shadow)" * one.shadow for one in version.filters]
        self.log.info("own filters", filters=names)

    def _complain(self, problem: str) -> None:
        if problem and problem != self.problem:
            self.log.error("own filters not read", reason=problem)
        self.problem = problem

    async def judge(self, job: Job) -> list[tuple[Active, Answer]]:
        """What each filter says, in order; none raises."""
        answers: list[tuple[Active, Answer]] = []
        pending = [one for one in self.active if not self._rests(one)]
        while pending:
            await self._some(pending, answers, job)
        return answers

    async def _some(
        self, pending: list[Active], answers: list[tuple[Active, Answer]], job: Job
    ) -> None:
        """Asks filters in one process, as far as that lives, and takes them out of `pending`."""
        pool = self._pool
        try:
            process = await pool.take()
        except NoProcess as error:
            for one in pending:
                answers.append((one, self._count(one, Answer(one.name, error=str(error)))))
            pending.clear()
            return
        sound = False
        try:
            # while others waited for a process too, a filter may have broken the last of many
            pending[:] = [one for one in pending if not self._rests(one)]
            sound = not pending or await self._ask(process, pending, answers, job)
        finally:
            pool.give(process, sound=sound)

    async def _ask(
        self,
        process: FilterProcess,
        pending: list[Active],
        answers: list[tuple[Active, Answer]],
        job: Job,
    ) -> bool:
        """Whether the process may be used again."""
        sound = True
        try:
            await process.ask([(one.name, one.timeout) for one in pending], job)
            while pending:
                one = pending[0]
                answer = read_answer(one.name, await process.answer(one.name, one.timeout))
                answers.append((pending.pop(0), self._count(one, answer)))
                sound = sound and not answer.spent
        except ProcessFailed as failure:
            one = pending.pop(0)
            answer = Answer(one.name, seconds=one.timeout, error=str(failure))
            answers.append((one, self._count(one, answer, broke=True)))
            return False
        return sound

    def _rests(self, one: Active) -> bool:
        return self._of(one).rests_until > self._clock.monotonic()

    def _of(self, one: Active) -> Counts:
        return self._counts.setdefault(one.name, Counts())

    def _count(self, one: Active, answer: Answer, *, broke: bool = False) -> Answer:
        counts = self._of(one)
        counts.calls += 1
        counts.seconds += answer.seconds
        counts.broke = counts.broke + 1 if broke else 0
        if answer.error:
            counts.errors += 1
            counts.last_error = f"line {answer.line}: {answer.error}" * bool(answer.line)
            counts.last_error = counts.last_error or answer.error
        else:
            action = answer.verdict.action.value
            counts.actions[action] = counts.actions.get(action, 0) + 1
        if counts.broke >= PATIENCE:
            counts.broke, counts.rests_until = 0, self._clock.monotonic() + REST_SECONDS
            self.log.error("own filter rests", filter=one.name, seconds=REST_SECONDS)
        return answer

    def listing(self) -> list[dict[str, Any]]:
        """Every file with its state, for people."""
        return [*map(self._row, self.active), *(_broken(one) for one in self._unused())]

    def _unused(self) -> list[Problem]:
        return [one for one in self.problems if not one.kept]

    def _row(self, one: Active) -> dict[str, Any]:
        counts = self._of(one)
        problem = next((str(p) for p in self.problems if p.name == one.name), "")
        state = "shadow" if one.shadow else "active"
        return {
            "name": one.name,
            "file": one.source.path,
            "state": "resting" if self._rests(one) else state,
            "timeout": one.timeout,
            "calls": counts.calls,
            "errors": counts.errors,
            "milliseconds": round(counts.seconds / counts.calls * 1000, 2) if counts.calls else 0.0,
            "actions": counts.actions,
            "problem": problem or counts.last_error,
        }

    async def _watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS if self._chosen.own else None):
                    await self._wake.wait()
            self._wake.clear()
            await self.look()


def _broken(problem: Problem) -> dict[str, Any]:
    return {
        "name": problem.name,
        "file": problem.path,
        "state": "broken",
        "timeout": 0.0,
        "calls": 0,
        "errors": 0,
        "milliseconds": 0.0,
        "actions": {},
        "problem": str(problem),
    }
