"""The body of a new Email, out of bodyStructure or of textBody, htmlBody and attachments (RFC 8621
§4.6). Pure: octets behind blobIds are the caller's.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from message.compose import Leaf, Multipart, Node, Source
from message.compose_fields import parametrised
from message.headers import folded
from message.params import decode_params, parse_content_type
from web.jmap.arguments import is_id
from web.jmap.errors import SetError, invalid_properties
from web.jmap.mail.header_values import is_header, named_fields

_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}/[A-Za-z0-9!#$&^_.+-]{1,127}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,127}")
_CID: Final = re.compile(r"[!-;=?-~]{1,900}")
_LANGUAGE: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_PART: Final = frozenset(
    ("partId", "blobId", "size", "name", "type", "charset", "disposition", "cid", "language",
     "location", "subParts")
)  # fmt: skip
_OF: Final = {
    "type": "content-type",
    "charset": "content-type",
    "disposition": "content-disposition",
    "cid": "content-id",
    "language": "content-language",
    "location": "content-location",
}
"""Which header field a property of a part stands for."""
MAX_DEPTH: Final = 20
MAX_PARTS: Final = 1_000
Octets = Callable[[str, str], Source]
"""The octets behind a blobId, for a part of that media type."""
Object = dict[str, Any]


@dataclass(slots=True)
class NewBody:
    """Makes the parts of one Email; errors name the property that they were found in."""

    values: Mapping[str, str]
    octets: Octets
    where: str = ""
    parts: int = 0

    def node(self, part: Any, default: str = "", depth: int = 0) -> Node:
        """An EmailBodyPart; `default` is its type where none is given. Raises SetError."""
        self.parts += 1
        if not isinstance(part, dict):
            raise self.bad("an EmailBodyPart is needed")
        if depth > MAX_DEPTH or self.parts > MAX_PARTS:
            raise self.bad("there are too many parts")
        given = {name: value for name, value in part.items() if value is not None}
        if unknown := [one for one in given if one not in _PART and not is_header(one)]:
            raise self.bad(f"{unknown[0][:100]} cannot be given")
        fields = self._fields(given)
        kind, params = self._type(given, fields, default)
        if kind.startswith("multipart/"):
            return self._multipart(given, fields, (kind, params), depth)
        return self._leaf(given, fields, (kind, params))

    def bad(self, text: str) -> SetError:
        return invalid_properties(text, self.where)

    def _multipart(
        self,
        given: Object,
        fields: Mapping[str, list[bytes]],
        kind: tuple[str, tuple[tuple[str, str], ...]],
        depth: int,
    ) -> Multipart:
        below = given.get("subParts")
        if "partId" in given or "blobId" in given or not isinstance(below, list) or not below:
            raise self.bad("a multipart has subParts, and no partId or blobId")
        parts = tuple(self.node(one, depth=depth + 1) for one in below)
        more = self._described(given, fields)
        return Multipart(kind[0].partition("/")[2], parts, more, kind[1])

    def _leaf(
        self,
        given: Object,
        fields: Mapping[str, list[bytes]],
        kind: tuple[str, tuple[tuple[str, str], ...]],
    ) -> Leaf:
        if given.get("subParts"):
            raise self.bad("only a multipart has subParts")
        if ("partId" in given) == ("blobId" in given):
            raise self.bad("a part has either a partId or a blobId")
        more = self._described(given, fields)
        params = tuple(one for one in kind[1] if one[0] != "charset")
        if "partId" in given:
            return Leaf(kind[0], self._value(given, kind[0]), params, more)
        if not is_id(given["blobId"]):
            raise self.bad("blobId: an Id is needed")
        return Leaf(kind[0], self.octets(given["blobId"], kind[0]), kind[1], more)

    def _value(self, given: Object, kind: str) -> Source:
        if "charset" in given or "size" in given:
            raise self.bad("a part with a partId has no charset and no size")
        value = self.values.get(given["partId"]) if isinstance(given["partId"], str) else None
        if value is None:
            raise self.bad("partId: it is not in bodyValues")
        return value if kind.startswith("text/") else value.encode("utf-8", "replace")

    def _fields(self, given: Object) -> dict[str, list[bytes]]:
        if any(is_header(one) and not one.startswith("header:") for one in given):
            raise self.bad("a header field of a part is header:...")
        try:
            fields = named_fields(given)
        except SetError as error:
            raise self.bad(str(error)) from None
        if "content-transfer-encoding" in fields:
            raise self.bad("the server chooses the Content-Transfer-Encoding")
        for name, field in _OF.items():
            if name in given and field in fields:
                raise self.bad(f"{name} and header:{field} are the same header field")
        if "name" in given and {"content-type", "content-disposition"} & fields.keys():
            raise self.bad("name stands in a header field that is given too")
        return fields

    def _type(
        self, given: Object, fields: Mapping[str, list[bytes]], default: str
    ) -> tuple[str, tuple[tuple[str, str], ...]]:
        """The media type in lower case, and its parameters."""
        kind: Any
        if field := fields.get("content-type"):
            parsed = parse_content_type(field[0].partition(b":")[2])
            if parsed is None:
                raise self.bad("header:Content-Type is no media type")
            kind = b"/".join(parsed[:2]).decode("ascii", "replace")
            params = tuple(decode_params(parsed[2]).items())
        else:
            usual = "text/plain" if "partId" in given else "application/octet-stream"
            kind = given.get("type", default or usual)
            params = self._params(given)
        if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
            raise self.bad("type: a media type is needed")
        return kind.lower(), params

    def _params(self, given: Object) -> tuple[tuple[str, str], ...]:
        found = []
        if "charset" in given:
            if not isinstance(given["charset"], str) or not _TOKEN.fullmatch(given["charset"]):
                raise self.bad("charset: the name of a charset is needed")
            found.append(("charset", given["charset"]))
        if "name" in given and "disposition" not in given:
            found.append(("name", self._text(given, "name")))
        return tuple(found)

    def _described(self, given: Object, fields: Mapping[str, list[bytes]]) -> tuple[bytes, ...]:
        """The part's other header fields."""
        made = [one for name, held in fields.items() if name != "content-type" for one in held]
        if "disposition" in given:
            value = self._text(given, "disposition")
            if not _TOKEN.fullmatch(value):
                raise self.bad("disposition: a token is needed")
            names = (("filename", self._text(given, "name")),) if "name" in given else ()
            made.append(parametrised("Content-Disposition", value.lower(), names))
        if "cid" in given:
            value = self._text(given, "cid")
            if not _CID.fullmatch(value):
                raise self.bad("cid: an id without angle brackets is needed")
            made.append(b"Content-ID: <%s>\r\n" % value.encode("ascii"))
        if "language" in given:
            made.append(self._language(given["language"]))
        if "location" in given:
            value = self._text(given, "location")
            if not value.isascii() or not value.isprintable() or " " in value or len(value) > 900:
                raise self.bad("location: a URI is needed")
            made.append(b"Content-Location: %s\r\n" % value.encode("ascii"))
        return tuple(made)

    def _language(self, value: Any) -> bytes:
        tags = value if isinstance(value, list) else []
        if not tags or not all(isinstance(one, str) and _LANGUAGE.fullmatch(one) for one in tags):
            raise self.bad("language: an array of language tags is needed")
        return folded(b"Content-Language", ", ".join(tags).encode("ascii"))

    def _text(self, given: Object, name: str) -> str:
        value = given[name]
        if not isinstance(value, str) or len(value) > 1_000:
            raise self.bad(f"{name}: a string is needed")
        return value


def new_body(made: Mapping[str, Any], octets: Octets) -> Node:
    """The body that the properties of a new Email describe. Raises SetError."""
    body = NewBody(_values(made.get("bodyValues")), octets)
    lists = [one for one in ("textBody", "htmlBody", "attachments") if made.get(one) is not None]
    if made.get("bodyStructure") is not None:
        if lists:
            raise invalid_properties("there is a bodyStructure", *lists)
        body.where = "bodyStructure"
        return body.node(made["bodyStructure"])
    shown: list[Node] = []
    for name, kind in (("textBody", "text/plain"), ("htmlBody", "text/html")):
        if name in lists:
            shown.append(_only(body, name, kind, made[name]))
    beside, inside = _attached(body, made.get("attachments"), related="htmlBody" in lists)
    if inside:
        shown[-1] = Multipart("related", (shown[-1], *inside))
    if not shown:
        shown = [] if beside else [Leaf("text/plain", "")]
    tree = Multipart("alternative", tuple(shown)) if len(shown) == 2 else None
    parts = (*([tree] if tree is not None else shown), *beside)
    return parts[0] if len(parts) == 1 else Multipart("mixed", tuple(parts))


def _only(body: NewBody, name: str, kind: str, parts: Any) -> Node:
    body.where = name
    if not isinstance(parts, list) or len(parts) != 1:
        raise body.bad("exactly one part is needed")
    node = body.node(parts[0], kind)
    if not isinstance(node, Leaf) or node.type != kind:
        raise body.bad(f"a part of the type {kind} is needed")
    return node


def _attached(body: NewBody, parts: Any, *, related: bool) -> tuple[Sequence[Node], Sequence[Node]]:
    """Those beside the text, and those that the HTML shows: they have a cid and are inline."""
    body.where = "attachments"
    if parts is None:
        return (), ()
    if not isinstance(parts, list):
        raise body.bad("an array of EmailBodyParts is needed")
    beside: list[Node] = []
    inside: list[Node] = []
    for part in parts:
        shown = False
        if isinstance(part, dict):
            disposition = part.get("disposition")
            shown = related and part.get("cid") is not None and disposition in (None, "inline")
            if disposition is None and "header:content-disposition" not in _lower(part):
                part = {**part, "disposition": "inline" if shown else "attachment"}
        (inside if shown else beside).append(body.node(part))
    return beside, inside


def _lower(part: Mapping[str, Any]) -> set[str]:
    return {":".join(name.lower().split(":")[:2]) for name in part}


def _values(given: Any) -> dict[str, str]:
    """bodyValues by partId. Raises SetError."""
    if given is None:
        return {}
    found: dict[str, str] = {}
    if not isinstance(given, dict):
        raise invalid_properties("an object of EmailBodyValues is needed", "bodyValues")
    for id_, value in given.items():
        known = isinstance(value, dict) and not (
            value.keys() - {"value", "isEncodingProblem", "isTruncated"}
        )
        if not known or not isinstance(value.get("value"), str):
            raise invalid_properties("an EmailBodyValue has a value", f"bodyValues/{id_}")
        if any(value.get(one) not in (None, False) for one in ("isEncodingProblem", "isTruncated")):
            text = "isEncodingProblem and isTruncated are false or absent"
            raise invalid_properties(text, f"bodyValues/{id_}")
        found[id_] = value["value"]
    return found
