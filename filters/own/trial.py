"""One filter asked about messages that nobody waits for: as in the server, with the same limits."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from config.sections_filters import Filters
from filters.own.pool import NoProcess, Pool
from filters.own.process import Job, ProcessFailed
from filters.own.sources import FolderError, Source, read_file, read_folder
from filters.own.values import Answer, read_answer
from filters.own.versions import Active, Version, try_all
from net.threads import Offload


class TrialError(Exception):
    """The filter does not load; the text says why, and where."""


class Trial:
    """A loaded filter. `shadow` and `timeout` are as its file says."""

    def __init__(self, pool: Pool, active: Active) -> None:
        self._pool, self.active = pool, active

    async def ask(self, job: Job) -> Answer:
        """What it says about a message."""
        one = self.active
        try:
            process = await self._pool.take()
        except NoProcess as error:
            return Answer(one.name, error=str(error))
        sound = False
        try:
            await process.ask([(one.name, one.timeout)], job)
            answer = read_answer(one.name, await process.answer(one.name, one.timeout))
            sound = not answer.spent
        except ProcessFailed as failure:
            answer = Answer(one.name, seconds=one.timeout, error=str(failure))
        finally:
            self._pool.give(process, sound=sound)
        return answer


@asynccontextmanager
async def trial(path: Path, chosen: Filters, offload: Offload) -> AsyncIterator[Trial]:
    """The filter at `path`, with the files beside it. Raises TrialError."""
    pool = Pool(offload, 1, chosen.own_memory)
    try:
        source = await offload.disk(read_file, path)
        helpers = await offload.disk(_helpers, path.parent)
        if source.error:
            raise TrialError(f"{path}: {source.error}")
        (loaded,) = await try_all([source], helpers, pool.start)
        if loaded.error:
            line = f":{loaded.line}" if loaded.line else ""
            raise TrialError(f"{path}{line}: {loaded.error}")
        active = Active(source, loaded.shadow, loaded.timeout or chosen.own_timeout)
        pool.use(Version((active,), helpers))
        yield Trial(pool, active)
    except (NoProcess, FolderError) as error:
        raise TrialError(str(error)) from None
    finally:
        await pool.close()


def _helpers(folder: Path) -> tuple[Source, ...]:
    return read_folder(folder).helpers
