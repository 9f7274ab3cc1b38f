"""The header fields that tell what the spam filter found, and those of others that say the like."""

from typing import Final

from filters.context import Message
from filters.rewriting import with_header
from filters.spam.result import SpamResult
from message.headers import build_field
from message.rewrite import named, without

MAX_SYMBOLS: Final = 40
_DETAIL: Final = 60
# What mail programs and scripts of Sieve go by; a sender may not say it for us.
_FOREIGN: Final = named(
    (b"x-spam-status", b"x-spam-result", b"x-spam-flag", b"x-spam-score", b"x-spam-level")
)


def status_fields(result: SpamResult) -> tuple[bytes, ...]:
    """`X-Spam-Status` as SpamAssassin writes it, `X-Spam-Flag` of junk, and `X-Spam-Result` with
    the symbols, the heaviest first.
    """
    junk = result.is_junk
    needed = f"{result.junk_at:g}" if result.junk_at else "none"
    score = f"{'Yes' if junk else 'No'}, score={result.score:g} required={needed}"
    fields = [build_field("X-Spam-Status", score)]
    if junk:
        fields.append(build_field("X-Spam-Flag", "YES"))
    heavy = sorted(result.scored, key=lambda one: -abs(one.weight))
    told = [_told(one.name, one.weight, one.detail) for one in heavy[:MAX_SYMBOLS] if one.weight]
    if told:
        fields.append(build_field("X-Spam-Result", ", ".join(told)))
    return tuple(fields)


def without_foreign(message: Message) -> Message:
    """The message without fields of these names, most often the very same one."""
    if b"spam-" not in message.header.lower():
        return message
    header = without(message.header, _FOREIGN)
    return message if header is message.header else with_header(message, header)


def _told(name: str, weight: float, detail: str) -> str:
    about = f" ({_plain(detail)})" if detail else ""
    return f"{name}={round(weight, 2):g}{about}"


def _plain(text: str) -> str:
    """A detail inside parentheses, in ASCII: what a sender wrote must not look like symbols."""
    shown = text.encode("ascii", "replace").decode("ascii")[:_DETAIL]
    return shown.translate(_HARMLESS)


_HARMLESS: Final = str.maketrans({"(": "[", ")": "]", ",": ";", "=": ":"})
