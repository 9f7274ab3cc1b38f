"""Text to tokens (RFC 5228 §8.1), in linear time; and offsets to lines and columns."""

import re
from bisect import bisect_right
from enum import Enum
from typing import Final, NamedTuple

from filters.sieve.errors import Mistake

MAX_NUMBER: Final = 2**53 - 1  # RFC 5228 §2.4.1 wants half of 32 bits at least

_TOKEN: Final = re.compile(
    r"(?P<blank>(?:[ \t\r\n]++|\#[^\n]*+)++)"
    r"|(?P<comment>/\*(?:[^*]++|\*(?!/))*+\*/)"
    r"|(?P<text>text:[ \t]*+(?:\#[^\n]*+)?\r?\n)"
    r"|(?P<word>[a-z_][a-z0-9_]*+)"
    r'|(?P<string>"(?:[^"\\]++|\\.)*+")'
    r"|(?P<mark>[\[\](){},;])"
    r"|(?P<tag>:[a-z_][a-z0-9_]*+)"
    r"|(?P<number>[0-9]++[kmg]?)(?![a-z0-9_])",
    re.IGNORECASE | re.DOTALL | re.ASCII,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_LINE_END: Final = re.compile(r"\r?\n")
_DOT_LINE: Final = re.compile(r"^\.\r?(?:\n|\Z)", re.MULTILINE)
_SCALE: Final = {"k": 1024, "m": 1024**2, "g": 1024**3}


class Kind(Enum):
    """What a token is; END stands behind the last."""

    WORD = "word"
    TAG = "tag"
    NUMBER = "number"
    STRING = "string"
    MARK = "mark"
    END = "end"


class Token(NamedTuple):
    """`text` is decoded for strings, in lower case for words and tags; `number` for NUMBER."""

    kind: Kind
    text: str
    offset: int
    number: int = 0


class Places:
    """Lines and columns of a text, from 1."""

    __slots__ = ("_starts",)

    def __init__(self, text: str) -> None:
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]

    def line(self, offset: int) -> int:
        return bisect_right(self._starts, offset)

    def column(self, offset: int) -> int:
        return offset - self._starts[self.line(offset) - 1] + 1


def tokens(text: str) -> list[Token]:
    """All tokens, END as the last; raises Mistake."""
    out: list[Token] = []
    at, end, match = 0, len(text), _TOKEN.match
    while at < end:
        found = match(text, at)
        if found is None:
            raise _unreadable(text, at)
        kind, value = found.lastgroup, found[0]
        start, at = at, found.end()
        if kind == "mark":
            out.append(Token(Kind.MARK, value, start))
        elif kind == "string":
            out.append(Token(Kind.STRING, _quoted(value), start))
        elif kind == "word":
            out.append(Token(Kind.WORD, value.lower(), start))
        elif kind == "tag":
            out.append(Token(Kind.TAG, value.lower(), start))
        elif kind == "number":
            out.append(Token(Kind.NUMBER, value, start, _number(value, start)))
        elif kind == "text":
            token, at = _multi_line(text, start, at)
            out.append(token)
    out.append(Token(Kind.END, "", end))
    return out


def _quoted(value: str) -> str:
    inside = value[1:-1]
    if "\\" in inside:
        inside = _ESCAPE.sub(r"\1", inside)
    return _LINE_END.sub("\r\n", inside) if "\n" in inside else inside


def _number(value: str, offset: int) -> int:
    scale = _SCALE.get(value[-1].lower(), 1)
    digits = value if scale == 1 else value[:-1]
    number = int(digits) * scale if len(digits) <= 16 else MAX_NUMBER + 1
    if number > MAX_NUMBER:
        raise Mistake(f"the number {value[:40]} is larger than {MAX_NUMBER}", offset)
    return number


def _multi_line(text: str, start: int, at: int) -> tuple[Token, int]:
    last = _DOT_LINE.search(text, at)
    if last is None:
        raise Mistake('the text: string has no line with a lone "." that ends it', start)
    lines = _LINE_END.split(text[at : last.start()])
    value = "\r\n".join(line[1:] if line.startswith(".") else line for line in lines)
    return Token(Kind.STRING, value, start), last.end()


def _unreadable(text: str, at: int) -> Mistake:
    char = text[at]
    if char == '"':
        return Mistake('the string has no closing "', at)
    if text.startswith("/*", at):
        return Mistake("the comment has no closing */", at)
    if char.isdigit():
        return Mistake("a number is digits with K, M or G behind them at most", at)
    if char == "'":
        return Mistake('strings stand in double quotes: "', at)
    name = repr(char) if char.isprintable() else f"U+{ord(char):04X}"
    return Mistake(f"the character {name} has no meaning here", at)
