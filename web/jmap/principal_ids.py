"""Ids of Principals: an address in base64url, so that who names one knows the address. Pure."""

import base64
import binascii


def principal_id(address: str) -> str:
    """Of an account's address."""
    text = base64.urlsafe_b64encode(address.encode()).rstrip(b"=").decode()
    return f"P{text}"


def address_of(id_: str) -> str:
    """The address; "" for what is no such id."""
    if not id_.startswith("P") or not id_.isascii():
        return ""
    try:
        octets = base64.b64decode(id_[1:] + "=" * (-len(id_[1:]) % 4), b"-_", validate=True)
        address = octets.decode()
    except (binascii.Error, ValueError):
        return ""
    return address if principal_id(address) == id_ else ""
