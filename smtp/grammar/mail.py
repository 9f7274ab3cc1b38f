"""MAIL FROM: the reverse-path and its parameters.

SIZE (RFC 1870), BODY (RFC 6152, RFC 3030), SMTPUTF8 (RFC 6531), RET and ENVID (RFC 3461), AUTH
(RFC 4954), REQUIRETLS (RFC 8689), and those of wishes.py. Whether a listener offers them is
ehlo.py's.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

from message.xtext import decode_xtext, encode_xtext
from smtp.grammar.parameters import ParameterError, split_parameters, unknown, value_of
from smtp.grammar.path import NULL, POSTMASTER, Path, PathError, parse_path, split_path
from smtp.grammar.reply import Reply, reply
from smtp.grammar.wishes import (
    By,
    encode_by,
    encode_hold_until,
    parse_by,
    parse_hold_for,
    parse_hold_until,
    parse_priority,
)

_FROM = re.compile(r"FROM[ \t]*:", re.IGNORECASE)
_SIZE = re.compile(r"[0-9]{1,20}")
_SYNTAX = reply(501, "5.5.4", "Syntax: MAIL FROM:<address> [parameters]")


class Body(Enum):
    """What BODY= says of the content."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT = "8BITMIME"
    BINARY = "BINARYMIME"


@dataclass(frozen=True, slots=True)
class Mail:
    """`size` in octets, 0 if not declared. `ret` is "", "FULL" or "HDRS"; `envid` decoded.

    `hold_for` in seconds, `hold_until` in Unix seconds: one of them at most.
    """

    sender: Path
    size: int = 0
    body: Body = Body.SEVEN_BIT
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    require_tls: bool = False
    hold_for: int | None = None
    hold_until: int | None = None
    by: By | None = None
    priority: int | None = None

    @property
    def is_special(self) -> bool:
        """Whether something is asked that not every listener offers."""
        timed = self.hold_for is not None or self.hold_until is not None or self.by is not None
        asked = timed or self.require_tls or self.priority is not None
        return asked or self.body is Body.BINARY


@lru_cache(maxsize=2048)
def parse_mail(argument: str, extended: bool = True) -> Mail | Reply:
    """What follows the verb; a Reply says why it is refused.

    `extended` is False after HELO: no parameters then.
    """
    try:
        found = _FROM.match(argument)
        if found is None:
            return _SYNTAX
        path, parameters = split_path(argument[found.end() :])
        sender = parse_path(path)
        if sender is POSTMASTER:
            raise PathError("the sender needs a domain")
        if parameters and not extended:
            return _SYNTAX
        return _mail(sender, split_parameters(parameters))
    except ParameterError as error:
        return error.reply
    except PathError as error:
        return reply(501, "5.1.7", f"Bad sender address syntax: {error}")


def encode_mail(mail: Mail) -> str:
    """What follows the verb."""
    words = [f"FROM:<{mail.sender.text}>"]
    if mail.size:
        words.append(f"SIZE={mail.size}")
    if mail.body is not Body.SEVEN_BIT:
        words.append(f"BODY={mail.body.value}")
    if mail.smtputf8:
        words.append("SMTPUTF8")
    if mail.ret:
        words.append(f"RET={mail.ret}")
    if mail.envid:
        words.append(f"ENVID={encode_xtext(mail.envid)}")
    return " ".join([*words, *_wishes(mail)])


def _wishes(mail: Mail) -> list[str]:
    words = ["REQUIRETLS"] if mail.require_tls else []
    if mail.hold_for is not None:
        words.append(f"HOLDFOR={mail.hold_for}")
    if mail.hold_until is not None:
        words.append(f"HOLDUNTIL={encode_hold_until(mail.hold_until)}")
    if mail.by is not None:
        words.append(f"BY={encode_by(mail.by)}")
    if mail.priority is not None:
        words.append(f"MT-PRIORITY={mail.priority}")
    return words


def _mail(sender: Path, parameters: dict[str, str | None]) -> Mail:
    given: dict[str, Any] = {}
    for key, value in parameters.items():
        if key in _VALUES:
            name, parse = _VALUES[key]
            given[name] = parse(value_of(key, value))
        elif key in _FLAGS:
            given[_FLAGS[key]] = _flag(key, value)
        elif key == "AUTH":
            _xtext(key, value_of(key, value), 500)
        else:
            raise unknown(key, "MAIL")
    if "smtputf8" not in given and not sender.is_ascii:
        raise ParameterError(553, "5.6.7", "Non-ASCII address needs the SMTPUTF8 parameter")
    if "hold_for" in given and "hold_until" in given:
        raise ParameterError(501, "5.5.4", "HOLDFOR and HOLDUNTIL exclude each other")
    return Mail(NULL if not sender.text else sender, **given)


def _size(value: str) -> int:
    if not _SIZE.fullmatch(value):
        raise ParameterError(501, "5.5.4", "SIZE needs a number of at most 20 digits")
    return int(value)


def _body(value: str) -> Body:
    try:
        return Body(value.upper())
    except ValueError:
        raise ParameterError(501, "5.5.4", "BODY must be 7BIT, 8BITMIME or BINARYMIME") from None


def _flag(key: str, value: str | None) -> bool:
    if value is not None:
        raise ParameterError(501, "5.5.4", f"{key} takes no value")
    return True


def _ret(value: str) -> str:
    if value.upper() not in ("FULL", "HDRS"):
        raise ParameterError(501, "5.5.4", "RET must be FULL or HDRS")
    return value.upper()


def _xtext(key: str, value: str, limit: int) -> str:
    try:
        if len(value) > limit:
            raise ValueError("too long")
        return decode_xtext(value)
    except ValueError:
        raise ParameterError(501, "5.5.4", f"{key} must be xtext of {limit} octets") from None


_VALUES: dict[str, tuple[str, Callable[[str], object]]] = {
    "SIZE": ("size", _size),
    "BODY": ("body", _body),
    "RET": ("ret", _ret),
    "ENVID": ("envid", lambda value: _xtext("ENVID", value, 100)),
    "HOLDFOR": ("hold_for", parse_hold_for),
    "HOLDUNTIL": ("hold_until", parse_hold_until),
    "BY": ("by", parse_by),
    "MT-PRIORITY": ("priority", parse_priority),
}
_FLAGS = {"SMTPUTF8": "smtputf8", "REQUIRETLS": "require_tls"}
