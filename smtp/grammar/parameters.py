"""ESMTP parameters behind a path: `KEY` or `KEY=VALUE`, blank-separated (RFC 5321 §4.1.1.11)."""

import re

from smtp.grammar.reply import Reply, reply

_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^=\s\x00-\x1f\x7f]+))?")


class ParameterError(ValueError):
    """A parameter that is refused, with the reply that says so."""

    def __init__(self, code: int, status: str, text: str) -> None:
        super().__init__(text)
        self.reply: Reply = reply(code, status, text)


def split_parameters(text: str) -> dict[str, str | None]:
    """Keys upper case; None where there was no value. Raises ParameterError."""
    found: dict[str, str | None] = {}
    for word in text.split():
        match = _PARAMETER.fullmatch(word)
        if match is None:
            raise ParameterError(501, "5.5.4", "Syntax error in parameters")
        key = match[1].upper()
        if key in found:
            raise ParameterError(501, "5.5.4", f"Parameter {key} given twice")
        found[key] = match[2]
    return found


def value_of(key: str, value: str | None) -> str:
    """The value that a parameter must have. Raises ParameterError."""
    if value is None:
        raise ParameterError(501, "5.5.4", f"{key} needs a value")
    return value


def unknown(key: str, verb: str) -> ParameterError:
    """For parameters that no extension of this server defines (RFC 5321 §4.1.1.11)."""
    return ParameterError(555, "5.5.4", f"{verb} parameter {key} not recognised")
