"""XML that is sent, as text made of pieces that are escaped already. Pure."""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from web.dav.names import HREF, PREFIXES, PROP, D, split_name
from web.dav.xml_read import Element

MEDIA_TYPE: Final = "application/xml"
_DECLARED: Final = "".join(f' xmlns:{prefix}="{name}"' for name, prefix in PREFIXES.items())
_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_XML: Final = "http://www.w3.org/XML/1998/namespace"


def escape(text: str) -> str:
    """Character data that parses to the same text; what XML cannot carry is left out. CR is a
    reference: as it is, a parser would make LF of it (XML 1.0 §2.11).
    """
    return _NO_XML.sub("", text).translate(_ESCAPES)


def tag(name: str, content: str = "", attributes: Mapping[str, str] | None = None) -> str:
    """An element with content that is XML."""
    start, end = _tags(name)
    written = "".join(f' {key}="{_quoted(value)}"' for key, value in (attributes or {}).items())
    return f"<{start}{written}>{content}</{end}>" if content else f"<{start}{written}/>"


def text_tag(name: str, text: str) -> str:
    """An element with text."""
    return tag(name, escape(text))


def href(path: str) -> str:
    """DAV:href of a path that is encoded for URLs."""
    return text_tag(HREF, path)


@lru_cache(1024)
def _tags(name: str) -> tuple[str, str]:
    namespace, local = split_name(name)
    if not namespace:
        return local, local
    if namespace in PREFIXES:
        found = f"{PREFIXES[namespace]}:{local}"
        return found, found
    if namespace == _XML:  # of this prefix alone, and never declared (Namespaces in XML 1.0 §3)
        return f"xml:{local}", f"xml:{local}"
    return f'x:{local} xmlns:x="{_quoted(namespace)}"', f"x:{local}"


def _quoted(text: str) -> str:
    return escape(text).replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")


def written(element: Element) -> str:
    """An element as it was read, without the text after it."""
    attributes: dict[str, str] = {}
    for number, (name, value) in enumerate(element.attributes.items()):
        namespace, local = split_name(name)
        if namespace == _XML:
            attributes[f"xml:{local}"] = value
        elif namespace:
            attributes |= {f"xmlns:a{number}": namespace, f"a{number}:{local}": value}
        else:
            attributes[local] = value
    inside = "".join(written(child) + escape(child.tail) for child in element.children)
    return tag(element.name, escape(element.text) + inside, attributes)


def document(name: str, content: str) -> bytes:
    """A whole one."""
    return f"{opening(name)}{content}{closing(name)}".encode()


def opening(name: str) -> str:
    """Its start, for one that is sent in pieces."""
    return f'<?xml version="1.0" encoding="utf-8"?>\n<{_tags(name)[0]}{_DECLARED}>'


def closing(name: str) -> str:
    return f"</{_tags(name)[1]}>"


def status_line(status: int) -> str:
    """DAV:status. Clients compare it with "HTTP/1.1 200 OK" letter by letter."""
    return text_tag(D + "status", f"HTTP/1.1 {status} {HTTPStatus(status).phrase}")


def propstat(status: int, properties: Iterable[str], condition: str = "") -> str:
    """DAV:propstat of properties that are XML (RFC 4918 §14.22)."""
    error = tag(D + "error", tag(condition)) if condition else ""
    return tag(D + "propstat", tag(PROP, "".join(properties)) + status_line(status) + error)


def gone(path: str, status: int = 404, condition: str = "") -> str:
    """DAV:response of something that is not there, or that is not told."""
    error = tag(D + "error", tag(condition)) if condition else ""
    return tag(D + "response", href(path) + status_line(status) + error)


def error_document(condition: str, inside: str = "") -> bytes:
    """DAV:error with one precondition (RFC 4918 §14.5)."""
    return document(D + "error", tag(condition, inside))
