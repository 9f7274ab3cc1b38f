"""The configuration file that Thunderbird and others fetch: config-v1.1.xml.

Source: draft-ietf-mailmaint-autoconfig. Only passwords are named as the way to log in: Thunderbird
knows the issuers of OAuth that are built into it and no others.
"""

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement

from web.discovery.offers import Offer, Offers
from web.discovery.xml import document

_USERNAME = "%EMAILADDRESS%"


def autoconfig(offers: Offers) -> bytes:
    """The document, in UTF-8."""
    root = Element("clientConfig", version="1.1")
    provider = SubElement(root, "emailProvider", id=offers.domain)
    SubElement(provider, "domain").text = offers.domain
    SubElement(provider, "displayName").text = offers.name
    SubElement(provider, "displayShortName").text = offers.name
    _servers(provider, "incomingServer", "imap", offers.imap)
    _servers(provider, "outgoingServer", "smtp", offers.smtp)
    if offers.origin:
        book = SubElement(root, "addressBook", type="carddav")
        SubElement(book, "username").text = _USERNAME
        SubElement(book, "authentication").text = "http-basic"
        SubElement(book, "serverURL").text = f"{offers.origin}/.well-known/carddav"
    return document(root)


def _servers(provider: Element, element: str, kind: str, ways: Sequence[Offer]) -> None:
    for one in ways:
        server = SubElement(provider, element, type=kind)
        SubElement(server, "hostname").text = one.host
        SubElement(server, "port").text = str(one.port)
        SubElement(server, "socketType").text = "SSL" if one.implicit else "STARTTLS"
        SubElement(server, "username").text = _USERNAME
        SubElement(server, "authentication").text = "password-cleartext"
