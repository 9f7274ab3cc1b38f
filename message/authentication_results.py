"""The Authentication-Results field (RFC 8601 §2.2): read from anybody, written by us.

Reading is tolerant: what a statement is lacking costs that statement, comments are passed over, and
nothing raises. Writing is strict: values become tokens, addresses or quoted strings of ASCII.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from message.address import AddressError, normalise_domain
from message.headers import unfold

NAME = b"Authentication-Results"
MAX_VALUE = 64 * 1024
MAX_STATEMENTS = 200
MAX_FIELDS = 100
MAX_PREFACE = 2048

_FIELD = re.compile(
    rb"^Authentication-Results[ \t]*:([^\n]*+(?:\n[ \t][^\n]*+)*+)\n?",
    re.MULTILINE | re.IGNORECASE,
)
_MARK = re.compile(r"\\.|[\"()]", re.DOTALL)
_PART = re.compile(r"((?:[^;\"]++|\"(?:[^\"\\]++|\\.)*+\"?)*+)(?:;|\Z)", re.DOTALL)
_QUOTED = r"\"((?:[^\"\\]++|\\.)*+)\""
_ID = re.compile(rf"\s*(?:{_QUOTED}|([^\s;\"=]++))\s*(?:(\d+)\s*)?", re.DOTALL)
_METHOD = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9_-]*+)\s*(?:/\s*(\d+)\s*)?=\s*([A-Za-z0-9_-]++)")
_PROPERTY = re.compile(
    r"\s*([A-Za-z][A-Za-z0-9_-]*+)\s*(?:\.\s*([A-Za-z0-9_-]++)\s*)?=\s*"
    rf"(?:{_QUOTED}(@[^\s\";]*+)?|([^\s\";]++))|[^\s]++|\s++",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PLAIN = re.compile(
    r"[!#$%&'*+.0-9A-Z^_`a-z{|}~-]+"  # a token of RFC 2045 §5.1
    r"|[!#$%&'*+/=?^_`{|}~.0-9A-Za-z-]*@[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
)
_UNSAFE = re.compile(r"[^ -~]+")


@dataclass(frozen=True, slots=True)
class Statement:
    """What one method says: `properties` are (ptype, property, value)."""

    method: str
    result: str
    reason: str = ""
    properties: tuple[tuple[str, str, str], ...] = ()
    comment: str = ""

    def value(self, ptype: str, name: str) -> str:
        """The first value of a property, "" without one."""
        return next((one[2] for one in self.properties if one[:2] == (ptype, name)), "")


@dataclass(frozen=True, slots=True)
class AuthenticationResults:
    """A whole field. `authserv_id` is "" where it is missing."""

    authserv_id: str
    statements: tuple[Statement, ...] = ()


def parse_results(value: bytes) -> AuthenticationResults:
    """The value of a field, folded or not; methods, results and names come in lower case."""
    text = _without_comments(unfold(value[:MAX_VALUE]).decode("utf-8", "replace"))
    parts = [match[1] for match in _PART.finditer(text)]
    first = _ID.fullmatch(parts[0])
    authserv = "" if first is None else _unescape(first[1]) if first[1] is not None else first[2]
    said = parts[1:] if first is not None or not _METHOD.match(parts[0]) else parts
    found = (_statement(part) for part in said[:MAX_STATEMENTS])
    return AuthenticationResults(authserv, tuple(one for one in found if one is not None))


def same_server(authserv_id: str, hostname: str) -> bool:
    """Whether an authserv-id names our server, whatever its case, form or final dot."""
    return _normal(authserv_id) == _normal(hostname)


def spoofed_fields(header: bytes, hostname: str) -> list[tuple[int, int]]:
    """Where fields stand in an arriving header block that claim to be of our making (§5).

    Nobody needs more than MAX_FIELDS of such fields: those beyond are counted among them.
    """
    found = []
    for number, match in enumerate(_FIELD.finditer(header)):
        if number >= MAX_FIELDS or _may_be(match[1], hostname):
            found.append(match.span())
    return found


def _may_be(value: bytes, hostname: str) -> bool:
    """What hides its authserv-id behind a long comment is not trusted."""
    authserv_id = parse_results(value[:MAX_PREFACE]).authserv_id
    return same_server(authserv_id, hostname) or (not authserv_id and len(value) > MAX_PREFACE)


def build_payload(authserv_id: str, statements: Iterable[Statement]) -> bytes:
    """The value without the field's name, a line for each statement, with CRLF at the end."""
    lines = [_value(authserv_id), *(_written(one) for one in statements)]
    if len(lines) == 1:
        lines.append("none")
    return ";\r\n\t".join(lines).encode("ascii") + b"\r\n"


def build_results(authserv_id: str, statements: Sequence[Statement]) -> bytes:
    """The whole field with CRLF."""
    return NAME + b": " + build_payload(authserv_id, statements)


def _statement(part: str) -> Statement | None:
    head = _METHOD.match(part)
    if head is None:
        return None
    reason, properties = "", []
    for ptype, name, value in _properties(part[head.end() :]):
        if name:
            properties.append((ptype, name, value))
        elif ptype == "reason":
            reason = value
    return Statement(head[1].lower(), head[3].lower(), reason, tuple(properties))


def _properties(text: str) -> Iterator[tuple[str, str, str]]:
    for match in _PROPERTY.finditer(text):
        ptype, name, quoted, domain, plain = match.groups()
        if ptype is not None:
            value = plain if plain is not None else _unescape(quoted) + (domain or "")
            yield ptype.lower(), (name or "").lower(), value


def _written(one: Statement) -> str:
    words = [f"{one.method}={one.result}"]
    if one.comment:
        words.append("(" + re.sub(r"[()\\]", "", _clean(one.comment)) + ")")
    if one.reason:
        words.append(f'reason="{_escape(_clean(one.reason))}"')
    words += [f"{ptype}.{name}={_value(value)}" for ptype, name, value in one.properties]
    return _folded(words)


def _folded(words: Sequence[str]) -> str:
    lines, line = [], words[0]
    for word in words[1:]:
        if len(line) + len(word) > 70:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}"
    return "\r\n\t ".join([*lines, line])


def _value(value: str) -> str:
    clean = _clean(value)
    return clean if _PLAIN.fullmatch(clean) else f'"{_escape(clean)}"'


def _clean(text: str) -> str:
    """Printable ASCII of a bounded length, so that no value becomes a line or a field."""
    return _UNSAFE.sub("?", text[:400])


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _unescape(text: str) -> str:
    return _ESCAPE.sub(r"\1", text)


def _normal(authserv_id: str) -> str:
    text = authserv_id.strip().removesuffix(".")
    try:
        return normalise_domain(text)
    except AddressError:
        return text.lower()


def _without_comments(text: str) -> str:
    """Comments become a space each; what is quoted stays as it is."""
    if "(" not in text:
        return text
    out, depth, start, quoted = [], 0, 0, False
    for match in _MARK.finditer(text):
        mark = match[0]
        if mark == '"' and depth == 0:
            quoted = not quoted
        elif mark == "(" and not quoted:
            if depth == 0:
                out.append(text[start : match.start()])
            depth += 1
        elif mark == ")" and depth:
            depth -= 1
            if depth == 0:
                out.append(" ")
                start = match.end()
    if depth == 0:
        out.append(text[start:])
    return "".join(out)
