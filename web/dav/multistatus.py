"""Answers of several parts: DAV:multistatus and what is in it (RFC 4918 §13). Pure."""

from collections.abc import Iterable

from web.dav.names import ADDRESS_DATA, D
from web.dav.properties import IN_ALLPROP, dead_of, names_of, property_of
from web.dav.request import Asked, Which
from web.dav.resources import Resource
from web.dav.xml_write import href, propstat, tag, text_tag

MULTISTATUS = D + "multistatus"


def response_of(
    resource: Resource, asked: Asked, *, minimal: bool = False, data: bytes | None = None
) -> str:
    """DAV:response of a resource. `data`: its content, where that is asked for; `minimal`: without
    the properties that are not there (RFC 8144 §2.1).
    """
    found: list[str] = []
    missing: list[str] = []
    for name in _wanted(resource, asked):
        if name == ADDRESS_DATA and data is not None:
            found.append(text_tag(name, data.decode("utf-8", "replace")))
            continue
        value = tag(name) if asked.which is Which.NAMES else property_of(resource, name)
        if value is None:
            missing.append(tag(name))
        else:
            found.append(value)
    return tag(D + "response", href(resource.href) + _propstats(found, missing, minimal))


def _propstats(found: list[str], missing: list[str], minimal: bool) -> str:
    told = propstat(404, missing) if missing and not minimal else ""
    return (propstat(200, found) if found or not told else "") + told


def _wanted(resource: Resource, asked: Asked) -> Iterable[str]:
    if asked.which is Which.NAMED:
        return asked.names
    if asked.which is Which.NAMES:
        return names_of(resource)
    own = (name for name in names_of(resource) if name in IN_ALLPROP)
    return dict.fromkeys([*own, *dead_of(resource), *asked.names])
