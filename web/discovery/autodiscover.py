"""Outlook's Autodiscover: the settings of an address (MS-OXDSCLI §2.2.4, POX), and where they are
(version 2, JSON).

One Account holds all protocols: Outlook takes the first Account and drops the others.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from web.discovery.offers import Offer, Offers
from web.discovery.xml import document

_ENVELOPE: Final = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
OUTLOOK: Final = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
INVALID: Final = ("600", "Invalid Request")
UNAVAILABLE: Final = ("601", "Provider is not available")
NOT_FOUND: Final = ("500", "The email address can't be found.")


def settings_of(address: str, offers: Offers) -> bytes:
    """What Outlook needs for the account of an address."""
    root, response = _response(OUTLOOK)
    SubElement(SubElement(response, "User"), "DisplayName").text = address
    account = SubElement(response, "Account")
    SubElement(account, "AccountType").text = "email"
    SubElement(account, "Action").text = "settings"
    _protocols(account, "IMAP", address, offers.imap)
    _protocols(account, "SMTP", address, offers.smtp)
    return document(root)


def refusal(error: tuple[str, str], now: float) -> bytes:
    """An ErrorCode and its Message; `now` in seconds since 1970."""
    root, response = _response(_ENVELOPE)
    at = datetime.fromtimestamp(now, UTC)
    element = SubElement(response, "Error", Time=f"{at:%H:%M:%S.%f}", Id="0")
    SubElement(element, "ErrorCode").text, SubElement(element, "Message").text = error
    SubElement(element, "DebugData")
    return document(root)


def _response(schema: str) -> tuple[Element, Element]:
    """Outlook wants each namespace as the default one, on its own element."""
    root = Element("Autodiscover", xmlns=_ENVELOPE)
    return root, SubElement(root, "Response", xmlns=schema)


def _protocols(account: Element, kind: str, address: str, ways: Sequence[Offer]) -> None:
    for one in ways:
        protocol = SubElement(account, "Protocol")
        told = {
            "Type": kind,
            "Server": one.host,
            "Port": str(one.port),
            "DomainRequired": "off",
            "LoginName": address,
            "SPA": "off",
            "SSL": "on",
            "Encryption": "SSL" if one.implicit else "TLS",
            "AuthRequired": "on",
        }
        if kind == "SMTP":
            told |= {"UsePOPAuth": "on", "SMTPLast": "off"}
        for name, text in told.items():
            SubElement(protocol, name).text = text
