"""The profile that iPhones, iPads and Macs install: mail and address book (a .mobileconfig).

Source: Apple's Configuration Profile Reference, com.apple.mail.managed and
com.apple.carddav.account. It holds no password: the device asks for it.
"""

import plistlib
import uuid
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.hazmat.primitives.serialization.pkcs7 import (
    PKCS7Options,
    PKCS7SignatureBuilder,
)
from cryptography.x509 import load_pem_x509_certificates

from web.discovery.offers import Offer, Offers

MEDIA_TYPE: Final = "application/x-apple-aspen-config"


def profile(address: str, full_name: str, offers: Offers) -> bytes:
    """The property list. Identifiers are those of the address, so that a second profile replaces
    the first.
    """
    identifier = ".".join(reversed(offers.domain.split("."))) + ".mail"
    payloads = [_mail(address, full_name, offers, identifier)]
    if offers.origin:
        payloads.append(_carddav(address, offers, identifier))
    whole = {
        **_payload("Configuration", address, identifier, offers.name),
        "PayloadOrganization": offers.name,
        "PayloadDescription": f"Mail and contacts of {address}",
        "PayloadRemovalDisallowed": False,
        "PayloadContent": payloads,
    }
    return plistlib.dumps(whole, sort_keys=False)


def signed(data: bytes, certificates: bytes, key: bytes) -> bytes:
    """The profile in a CMS signature (RFC 5652) by the server's certificate, all in PEM. Raises
    ValueError for what cannot sign one. Takes a millisecond.
    """
    chain = load_pem_x509_certificates(certificates)
    private = load_pem_private_key(key, None)
    if not isinstance(private, RSAPrivateKey | EllipticCurvePrivateKey):
        raise ValueError("a key that signs no profiles")
    builder = PKCS7SignatureBuilder().set_data(data).add_signer(chain[0], private, SHA256())
    for one in chain[1:]:
        builder = builder.add_certificate(one)
    return builder.sign(Encoding.DER, [PKCS7Options.Binary])


def _mail(address: str, full_name: str, offers: Offers, identifier: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        **_payload("com.apple.mail.managed", address, identifier, offers.name),
        "EmailAccountType": "EmailTypeIMAP",
        "EmailAccountName": full_name or address,
        "EmailAccountDescription": offers.name,
        "EmailAddress": address,
        "OutgoingPasswordSameAsIncomingPassword": True,
        "SMIMEEnabled": False,
    }
    for prefix, ways in (("Incoming", offers.imap), ("Outgoing", offers.smtp)):
        found |= _server(f"{prefix}MailServer", address, ways[0])
    return found


def _server(prefix: str, address: str, way: Offer) -> dict[str, Any]:
    return {
        f"{prefix}HostName": way.host,
        f"{prefix}PortNumber": way.port,
        f"{prefix}UseSSL": True,
        f"{prefix}Username": address,
        f"{prefix}Authentication": "EmailAuthPassword",
    }


def _carddav(address: str, offers: Offers, identifier: str) -> dict[str, Any]:
    site = urlsplit(offers.origin)
    return {
        **_payload("com.apple.carddav.account", address, identifier, offers.name),
        "CardDAVAccountDescription": offers.name,
        "CardDAVHostName": site.hostname or "",
        "CardDAVPort": site.port or 443,
        "CardDAVUseSSL": True,
        "CardDAVUsername": address,
    }


def _payload(kind: str, address: str, identifier: str, name: str) -> dict[str, Any]:
    whole = f"{identifier}.{kind}.{address}"
    return {
        "PayloadType": kind,
        "PayloadVersion": 1,
        "PayloadIdentifier": whole,
        "PayloadUUID": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}:{address}")).upper(),
        "PayloadDisplayName": name,
    }
