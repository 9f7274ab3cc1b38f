"""The Sender Rewriting Scheme: envelope senders of forwarded mail, so that SPF passes at the next
server and reports of failure find their way back.

    SRS0=HHHHHHHH=TT=host=user@ours         user@host, rewritten here first
    SRS1=HHHHHHHH=host=rest@ours            what `host` had made SRS0 of, `rest` being its own part
    SRS0=HHHHHHHH=TT==token@ours            an address too long for a local part, kept under a token

H is an HMAC and TT the day, both in base32 and compared without case, since servers on the way may
change it. Pure: the key, the day and the kept addresses are the caller's. There is no RFC for it.
"""

import hmac
import re
from base64 import b32encode
from dataclasses import dataclass
from hashlib import sha256

from message.address import MAX_LOCAL, AddressError, Mailbox, parse_mailbox

MAX_AGE = 21
"""Days in which a report may come back."""
_DAYS = 1024
_DIGITS = "abcdefghijklmnopqrstuvwxyz234567"
_HASH = 8
_FIRST = re.compile(r"srs0[=+-]([a-z2-7]{8})=([a-z2-7]{2})=([^=]*)=(.+)", re.IGNORECASE)
_SECOND = re.compile(r"srs1[=+-]([a-z2-7]{8})=([^=]+)=(.+)", re.IGNORECASE)
_OTHERS_FIRST = re.compile(r"srs0([=+-].+)", re.IGNORECASE)
_OTHERS_SECOND = re.compile(r"srs1[=+-][^=]+=([^=]+)=(.+)", re.IGNORECASE)


class SrsError(ValueError):
    """The address is rewritten, but not by us, or too long ago."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A token that stands for an address."""

    token: str


def is_srs(local: str) -> bool:
    """Whether a local part looks like one of ours."""
    return local[:4].casefold() in ("srs0", "srs1") and local[4:5] in ("=", "+", "-")


def rewrite(sender: Mailbox, domain: str, key: bytes, day: int) -> Mailbox | None:
    """The sender at our `domain`; None when it is too long, and `rewrite_kept` must do it. `day` is
    the number of days since 1970.
    """
    first, second = _OTHERS_FIRST.fullmatch(sender.local), _OTHERS_SECOND.fullmatch(sender.local)
    if second is not None:
        local = _signed_second(second[1], second[2], key)
    elif first is not None:
        local = _signed_second(sender.domain, first[1], key)
    else:
        local = _signed_first(sender.domain, sender.local, key, day)
    return Mailbox(local, domain) if _fits(local) else None


def token_of(sender: Mailbox, key: bytes) -> str:
    """What a long address is kept under: the same each time."""
    return _hmac(key, "token", str(sender))[:20]


def rewrite_kept(token: str, domain: str, key: bytes, day: int) -> Mailbox:
    """The sender at our `domain` for an address that is kept."""
    return Mailbox(_signed_first("", token, key, day), domain)


def reverse(local: str, key: bytes, day: int) -> Mailbox | Kept:
    """Where a report to a rewritten address of ours goes. Raises SrsError."""
    first, second = _FIRST.fullmatch(local), _SECOND.fullmatch(local)
    try:
        if first is not None:
            return _reverse_first(first, key, day)
        if second is not None:
            return _reverse_second(second, key)
    except AddressError as error:
        raise SrsError(str(error)) from error
    raise SrsError("not a rewritten address")


def _reverse_first(found: "re.Match[str]", key: bytes, day: int) -> Mailbox | Kept:
    code, stamp, host, user = found.groups()
    if not hmac.compare_digest(code.lower(), _code(key, stamp, host, user)):
        raise SrsError("not rewritten here")
    made = _DIGITS.index(stamp[0].lower()) * 32 + _DIGITS.index(stamp[1].lower())
    if (day - made) % _DAYS > MAX_AGE:
        raise SrsError("rewritten too long ago")
    return parse_mailbox(f"{user}@{host}") if host else Kept(user.lower())


def _reverse_second(found: "re.Match[str]", key: bytes) -> Mailbox:
    """The server that rewrote first knows how long its address is good for."""
    code, host, rest = found.groups()
    if not hmac.compare_digest(code.lower(), _code(key, "1", host, rest)):
        raise SrsError("not rewritten here")
    return parse_mailbox(f"SRS0{rest}@{host}")


def _signed_first(host: str, user: str, key: bytes, day: int) -> str:
    stamp = _DIGITS[day % _DAYS // 32] + _DIGITS[day % 32]
    return f"SRS0={_code(key, stamp, host, user)}={stamp}={host}={user}"


def _signed_second(host: str, rest: str, key: bytes) -> str:
    return f"SRS1={_code(key, '1', host, rest)}={host}={rest}"


def _code(key: bytes, *parts: str) -> str:
    return _hmac(key, *parts)[:_HASH]


def _hmac(key: bytes, *parts: str) -> str:
    text = "\0".join(parts).casefold().encode("utf-8", "surrogatepass")
    return b32encode(hmac.digest(key, text, sha256)).decode("ascii").lower()


def _fits(local: str) -> bool:
    """Within RFC 5321 §4.5.3.1.1, and without quotes."""
    if len(local.encode("utf-8", "surrogatepass")) > MAX_LOCAL:
        return False
    try:
        return str(parse_mailbox(f"{local}@example.org")) == f"{local}@example.org"
    except AddressError:
        return False
