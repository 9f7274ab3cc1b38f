"""Sieve scripts as they come from users: whether a text is one, and what the language can do here.

Compiling is work of some 40 us a line, so that it is never done in the loop.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from filters.sieve.errors import CompileError
from filters.sieve.extensions import EXTENSIONS, NOTIFY_METHODS
from filters.sieve.limits import LIMITS
from filters.sieve.script import compile_script
from net.threads import Offload, Pool

# Larger ones go to another process.
SMALL: Final = 32 * 1024


class BadScript(ValueError):
    """The text is no script; the message says where and why, a line for each mistake."""


# Gives warnings about a script that is one. Raises BadScript, net.threads.Busy.
Check: TypeAlias = Callable[[bytes], Awaitable[Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Language:
    """What the server's Sieve can do, as ManageSieve announces it (RFC 5804 §1.7)."""

    extensions: tuple[str, ...]
    notify: tuple[str, ...]
    redirects: int
    check: Check


def language(offload: Offload) -> Language:
    """That of filters/sieve/."""

    async def check(text: bytes) -> Sequence[str]:
        if len(text) > SMALL:
            mistakes = await offload.apart(mistakes_in, text)
        else:
            mistakes = await offload.run(Pool.MIME, mistakes_in, text)
        if mistakes:
            raise BadScript("\r\n".join(mistakes))
        return ()

    return Language(EXTENSIONS, NOTIFY_METHODS, LIMITS.redirects, check)


def mistakes_in(text: bytes) -> tuple[str, ...]:
    """What the compiler has against a script, none for a right one."""
    try:
        compile_script(text)
    except CompileError as error:
        return tuple(map(str, error.problems))
    return ()
