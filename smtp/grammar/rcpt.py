"""RCPT TO: the forward-path and its parameters NOTIFY and ORCPT (RFC 3461 §4.1, §4.2)."""

import re
from dataclasses import dataclass
from functools import lru_cache

from message.xtext import decode_utf8_address, decode_xtext
from smtp.grammar.parameters import ParameterError, split_parameters, unknown, value_of
from smtp.grammar.path import NULL, Path, PathError, parse_path, split_path
from smtp.grammar.reply import Reply, reply

_TO = re.compile(r"TO[ \t]*:", re.IGNORECASE)
_NOTIFY = frozenset({"SUCCESS", "FAILURE", "DELAY"})
_ORCPT = re.compile(r"([A-Za-z0-9-]+);(\S+)")
_SYNTAX = reply(501, "5.5.4", "Syntax: RCPT TO:<address> [parameters]")


@dataclass(frozen=True, slots=True)
class Rcpt:
    """`notify` is "", "NEVER" or a comma list in upper case; `orcpt` is `type;text` as sent."""

    recipient: Path
    notify: str = ""
    orcpt: str = ""


@lru_cache(maxsize=8192)
def parse_rcpt(argument: str, extended: bool = True) -> Rcpt | Reply:
    """What follows the verb; a Reply says why it is refused."""
    try:
        found = _TO.match(argument)
        if found is None:
            return _SYNTAX
        path, parameters = split_path(argument[found.end() :])
        recipient = parse_path(path)
        if recipient is NULL:
            raise PathError("the recipient is empty")
        if parameters and not extended:
            return _SYNTAX
        return _rcpt(recipient, split_parameters(parameters)) if parameters else Rcpt(recipient)
    except ParameterError as error:
        return error.reply
    except PathError as error:
        return reply(501, "5.1.3", f"Bad recipient address syntax: {error}")


def encode_rcpt(rcpt: Rcpt) -> str:
    """What follows the verb."""
    words = [f"TO:<{rcpt.recipient.text}>"]
    if rcpt.notify:
        words.append(f"NOTIFY={rcpt.notify}")
    if rcpt.orcpt:
        words.append(f"ORCPT={rcpt.orcpt}")
    return " ".join(words)


def _rcpt(recipient: Path, parameters: dict[str, str | None]) -> Rcpt:
    notify, orcpt = "", ""
    for key, value in parameters.items():
        if key == "NOTIFY":
            notify = _notify(value_of(key, value))
        elif key == "ORCPT":
            orcpt = _orcpt(value_of(key, value))
        else:
            raise unknown(key, "RCPT")
    return Rcpt(recipient, notify, orcpt)


def _notify(value: str) -> str:
    words = value.upper().split(",")
    if words != ["NEVER"] and (not set(words) <= _NOTIFY or len(set(words)) != len(words)):
        raise ParameterError(501, "5.5.4", "NOTIFY must be NEVER or of SUCCESS, FAILURE, DELAY")
    return ",".join(words)


def _orcpt(value: str) -> str:
    """Kept as sent: it is passed on unchanged. utf-8 addresses are RFC 6533's own form."""
    found = _ORCPT.fullmatch(value)
    if found is None or len(value) > 500:
        raise ParameterError(501, "5.5.4", "ORCPT must be type;xtext of 500 octets")
    try:
        if found[1].lower() == "utf-8":
            decode_utf8_address(found[2])
        else:
            decode_xtext(found[2])
    except ValueError:
        raise ParameterError(501, "5.5.4", "ORCPT must be type;xtext") from None
    return value
