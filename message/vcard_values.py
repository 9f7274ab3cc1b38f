"""What the values of vCard properties mean: escapes, lists, structures, and RFC 6868. Pure."""

import re
from typing import Final

_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_URI_ESCAPES: Final = re.compile(r"\\+([,;:])")
_TO_ESCAPE: Final = re.compile(r"[\\,;\n]")
_CARETS: Final = re.compile(r"\^([n'^])")
_DECODED: Final = {"n": "\n", "'": '"', "^": "^"}


def caret_decoded(value: str) -> str:
    """A parameter's value (RFC 6868 §3.2)."""
    return _CARETS.sub(lambda match: _DECODED[match[1]], value)


def caret_encoded(value: str) -> str:
    """The same the other way (RFC 6868 §3.1)."""
    value = value.replace("^", "^^").replace('"', "^'")
    return value.replace("\r\n", "^n").replace("\n", "^n").replace("\r", "^n")


def unescaped(value: str) -> str:
    """A text (RFC 6350 §3.4)."""
    return _ESCAPED.sub(lambda match: "\n" if match[1] in "nN" else match[1], value)


def uri(value: str) -> str:
    """A URI, which is not escaped (RFC 6350 §4.2); older programs escape it all the same."""
    return _URI_ESCAPES.sub(r"\1", value.strip())


def escaped(text: str) -> str:
    """The same the other way; line ends become \\n."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _TO_ESCAPE.sub(lambda m: "\\n" if m[0] == "\n" else "\\" + m[0], text)


def split(value: str, at: str) -> list[str]:
    """At the separators that are not escaped; the pieces are escaped still."""
    if at not in value:
        return [value]
    pieces, start, position = [], 0, 0
    while position < len(value):
        if value[position] == "\\":
            position += 2
            continue
        if value[position] == at:
            pieces.append(value[start:position])
            start = position + 1
        position += 1
    return [*pieces, value[start:]]


def texts(value: str, at: str = ",") -> list[str]:
    """A list of texts, without empty ones."""
    return [text for piece in split(value, at) if (text := unescaped(piece).strip())]


def components(value: str) -> list[list[str]]:
    """A structured value (N, ADR): the values of each component."""
    return [texts(piece) for piece in split(value, ";")]
