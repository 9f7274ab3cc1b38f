"""Paths of MAIL and RCPT: `<local@domain>`, the null path, `<postmaster>` (RFC 5321 §4.1.2).

Source routes are taken and dropped (RFC 5321 Appendix C). Blanks after the colon are taken, since
Outlook sends them.
"""

import re
from dataclasses import dataclass, field
from functools import lru_cache

from message.address import AddressError, Mailbox, parse_mailbox

_ANGLE = re.compile(
    r'[ \t]*<(?:@[^:<>"\s]+:)?((?:[^"<>\s]|"(?:[^"\\]|\\.)*")*)>(?:[ \t]+(.*))?', re.DOTALL
)
# An address without angle brackets: wrong, and sent by scripts and old devices.
_NAKED = re.compile(r"[ \t]*([^<>\s\"]+@[^<>\s\"]+)(?:[ \t]+(.*))?", re.DOTALL)


class PathError(ValueError):
    """No path; the text is for the client."""


@dataclass(frozen=True, slots=True)
class Path:
    """`mailbox` is None for the null reverse-path and for `<postmaster>`, told apart by `text`.

    `is_ascii` as it was sent: `text` has A-labels in the place of a domain's UTF-8.
    """

    text: str
    mailbox: Mailbox | None
    is_ascii: bool = field(default=True, compare=False)


NULL = Path("", None)
POSTMASTER = Path("postmaster", None)


def split_path(argument: str) -> tuple[str, str]:
    """What stands between the angle brackets, and the parameters behind. Raises PathError."""
    found = _ANGLE.fullmatch(argument) or _NAKED.fullmatch(argument)
    if found is None:
        raise PathError("an address in angle brackets is needed")
    return found[1], found[2] or ""


@lru_cache(maxsize=8192)
def parse_path(text: str) -> Path:
    """The path between angle brackets. Raises PathError."""
    if not text:
        return NULL
    if not text.isascii():
        _refuse_surrogates(text)
    if text.lower() == "postmaster":
        return POSTMASTER
    try:
        mailbox = parse_mailbox(text)
    except AddressError as error:
        raise PathError(str(error)) from None
    return Path(str(mailbox), mailbox, text.isascii())


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PathError("not UTF-8") from None
