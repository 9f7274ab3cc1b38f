"""MAIL FROM: the reverse-path and its parameters.

SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), RET and ENVID (RFC 3461), AUTH (RFC 4954).
"""

import re
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from smtp.grammar.parameters import ParameterError, split_parameters, unknown, value_of
from smtp.grammar.path import NULL, POSTMASTER, Path, PathError, parse_path, split_path
from smtp.grammar.reply import Reply, reply
from smtp.grammar.xtext import decode_xtext, encode_xtext

_FROM = re.compile(r"FROM[ \t]*:", re.IGNORECASE)
_SIZE = re.compile(r"[0-9]{1,20}")
_SYNTAX = reply(501, "5.5.4", "Syntax: MAIL FROM:<address> [parameters]")


class Body(Enum):
    """What BODY= says of the content."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT = "8BITMIME"


@dataclass(frozen=True, slots=True)
class Mail:
    """`size` in octets, 0 if not declared. `ret` is "", "FULL" or "HDRS"; `envid` decoded."""

    sender: Path
    size: int = 0
    body: Body = Body.SEVEN_BIT
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""


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
    if mail.body is Body.EIGHT_BIT:
        words.append("BODY=8BITMIME")
    if mail.smtputf8:
        words.append("SMTPUTF8")
    if mail.ret:
        words.append(f"RET={mail.ret}")
    if mail.envid:
        words.append(f"ENVID={encode_xtext(mail.envid)}")
    return " ".join(words)


def _mail(sender: Path, parameters: dict[str, str | None]) -> Mail:
    size, body, ret, envid, smtputf8 = 0, Body.SEVEN_BIT, "", "", False
    for key, value in parameters.items():
        if key == "SIZE":
            size = _size(value_of(key, value))
        elif key == "BODY":
            body = _body(value_of(key, value))
        elif key == "SMTPUTF8":
            smtputf8 = _flag(key, value)
        elif key == "RET":
            ret = _ret(value_of(key, value))
        elif key == "ENVID":
            envid = _xtext(key, value_of(key, value), 100)
        elif key == "AUTH":
            _xtext(key, value_of(key, value), 500)
        else:
            raise unknown(key, "MAIL")
    if not smtputf8 and not sender.is_ascii:
        raise ParameterError(553, "5.6.7", "Non-ASCII address needs the SMTPUTF8 parameter")
    return Mail(NULL if not sender.text else sender, size, body, smtputf8, ret, envid)


def _size(value: str) -> int:
    if not _SIZE.fullmatch(value):
        raise ParameterError(501, "5.5.4", "SIZE needs a number of at most 20 digits")
    return int(value)


def _body(value: str) -> Body:
    try:
        return Body(value.upper())
    except ValueError:
        raise ParameterError(501, "5.5.4", "BODY must be 7BIT or 8BITMIME") from None


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
