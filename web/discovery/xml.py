"""Documents of discovery as octets, and the little that is read of requests, without entities."""

from typing import Final
from xml.etree.ElementTree import Element, ParseError, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

MEDIA_TYPE: Final = "application/xml"


class BadXml(ValueError):
    """What was sent is no document that is read here."""


def document(root: Element) -> bytes:
    """With its declaration, in UTF-8."""
    data: bytes = tostring(root, "utf-8", xml_declaration=True)
    return data


def texts_of(data: bytes, *names: str) -> dict[str, str]:
    """The text of the first element of each of these local names, "" where there is none.
    Raises BadXml, also for a document type.
    """
    try:
        root: Element = fromstring(data, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise BadXml(f"not XML that is read here: {type(error).__name__}") from None
    found = dict.fromkeys(names, "")
    for element in root.iter():
        name = str(element.tag).rpartition("}")[2]
        if name in found and not found[name]:
            found[name] = (element.text or "").strip()
    return found
