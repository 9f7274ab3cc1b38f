"""Cards as they are told: as they were put, in another version, or some properties alone
(RFC 6352 §10.4), and as they may be put. Pure.
"""

from collections.abc import Sequence
from dataclasses import replace

from message.jscontact_writing import vcard_of
from message.vcard import Property, Vcard, format_vcard, parse_vcard
from storage.contact_service import content_of_vcard
from storage.contact_values import BadContact, Content
from web.dav.errors import DavError
from web.dav.filter import CardFilter
from web.dav.names import C
from web.dav.request import VERSIONS, CardData, CardProperty

AS_IT_IS = CardData()


def needs_work(version: str, wanted: CardData) -> bool:
    """Whether a card that was put in `version` is told otherwise."""
    return wanted.properties is not None or wanted.version not in ("", version)


def content_of(data: bytes) -> Content:
    """What a PUT brings. Raises DavError (RFC 6352 §5.1, §6.3.2.1)."""
    try:
        data.decode()
        content = content_of_vcard(data)
    except UnicodeDecodeError:
        raise _bad_card("cards are UTF-8") from None
    except BadContact as bad:
        raise _bad_card(str(bad)) from None
    if content.version not in VERSIONS:
        raise DavError(403, C + "supported-address-data", f"not version {content.version}")
    if not parse_vcard(data).value("UID").strip():
        raise _bad_card("a card has a UID")
    return content


def _bad_card(text: str) -> DavError:
    return DavError(403, C + "valid-address-data", text)


def shown(content: Content, wanted: CardData) -> bytes:
    """One card."""
    if not needs_work(content.version, wanted):
        return content.raw
    if wanted.version in ("", content.version):
        card = parse_vcard(content.raw)
    else:
        card = vcard_of(content.card(), wanted.version)
    if wanted.properties is not None:
        card = replace(card, properties=tuple(_some(card, wanted.properties)))
    return format_vcard(card)


def _some(card: Vcard, wanted: Sequence[CardProperty]) -> list[Property]:
    """In the order of the card, as RFC 6352 §10.4.2 picks them: with a group, in that alone."""
    found: list[Property] = []
    for one in card.properties:
        named = {one.name, f"{one.group.upper()}.{one.name}"}
        asked = [each for each in wanted if each.name.upper() in named]
        if asked:
            bare = all(each.bare for each in asked)
            found.append(replace(one, value="") if bare else one)
    return found


def shown_all(contents: Sequence[Content], wanted: CardData) -> list[bytes]:
    """Several."""
    return [shown(content, wanted) for content in contents]


def found_all(contents: Sequence[Content], wanted: CardFilter) -> list[bool]:
    """Which of the cards a query finds."""
    return [wanted.matches(parse_vcard(content.raw)) for content in contents]
