"""Parts of addresses (RFC 5228 §2.7.4, RFC 5233)."""

from typing import Final

from message.address_list import Address
from message.words import decode_text

PARTS: Final = (":all", ":localpart", ":domain", ":user", ":detail")


def split_path(path: str) -> tuple[str, str]:
    """Local part and domain of an envelope address; the local part unquoted."""
    local, _, domain = path.rpartition("@")
    if len(local) > 1 and local.startswith('"') and local.endswith('"'):
        local = local[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return local, domain


def part_of(whole: str, local: str, domain: str, part: str, separator: str) -> str | None:
    """None where there is no such part: `:detail` of an address without a sub-address, and every
    part but `:all` of what is no address.
    """
    if part == ":all":
        return whole
    if not local or not domain:
        return None
    if part == ":domain":
        return domain
    if part == ":localpart":
        return local
    user, found, detail = local.partition(separator) if separator else (local, "", "")
    if part == ":user":
        return user
    return detail if found else None


def part_of_address(address: Address, part: str, separator: str) -> str | None:
    """The part of an entry of a header."""
    local = decode_text(address.local or b"", "")
    domain = decode_text(address.domain or b"", "")
    whole = address.text if local and domain else local or domain
    return part_of(whole, local, domain, part, separator)
