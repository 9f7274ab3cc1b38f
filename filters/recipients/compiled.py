"""Compiled scripts, kept: compiling costs more than running. By the text itself, so that a script
that was changed is another one.
"""

from dataclasses import dataclass

from cachetools import LRUCache

from filters.scripts import SMALL
from filters.sieve.errors import CompileError
from filters.sieve.script import Script, compile_script
from net.threads import Offload, Pool

MOST = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Entry:
    """What became of a text of `size` octets."""

    script: Script | CompileError
    size: int


class Compiled:
    """Bounded by the octets of the texts: MOST of them, with what they have become some 30 MiB."""

    def __init__(self, offload: Offload) -> None:
        self._offload = offload
        self._known: LRUCache[bytes, _Entry] = LRUCache(MOST, getsizeof=_size_of)

    async def get(self, text: bytes) -> Script:
        """Raises CompileError, Busy."""
        found = self._known.get(text)
        if found is None:
            found = _Entry(await self._compile(text), len(text))
            self._known[text] = found
        if isinstance(found.script, CompileError):
            raise found.script
        return found.script

    async def _compile(self, text: bytes) -> Script | CompileError:
        if len(text) > SMALL:
            return await self._offload.apart(_compiled, text)
        return await self._offload.run(Pool.MIME, _compiled, text)


def _size_of(entry: _Entry) -> int:
    return entry.size


def _compiled(text: bytes) -> Script | CompileError:
    try:
        return compile_script(text)
    except CompileError as error:
        return error
