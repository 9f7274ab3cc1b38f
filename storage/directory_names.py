"""What an operator types as address, alias or domain, checked and as look-up key. Pure."""

import re
from collections.abc import Callable
from typing import Final

from message.address import AddressError, Mailbox, normalise_domain, parse_mailbox
from storage.directory_values import NotAllowed

_HOST_NAME: Final = re.compile(r"[a-z0-9.-]+")


def address_of(text: str) -> Mailbox:
    """An address fit for the directory. Raises NotAllowed."""
    try:
        box = parse_mailbox(text)
    except AddressError as error:
        raise NotAllowed(f"{text!r} is not an address: {error}") from error
    if not box.local or not is_encodable(box.local):
        raise NotAllowed(f"{text!r} is not an address: local part is not valid")
    return box


def own_address(text: str, serves: Callable[[str], bool]) -> Mailbox:
    """An address of a domain that is served. Raises NotAllowed."""
    box = address_of(text)
    if not serves(box.domain):
        raise NotAllowed(f"{box.domain} is not served; add it with: mailserver domain add")
    return box


def alias_name(alias: str, serves: Callable[[str], bool]) -> tuple[str, str, str]:
    """Key, spelling and domain of an alias or a catch-all. Raises NotAllowed."""
    key = catch_all_key(alias)
    if key is None:
        box = own_address(alias, serves)
        return box.key(), str(box), box.domain
    if not serves(key[1:]):
        raise NotAllowed(f"{key[1:]} is not served; add it with: mailserver domain add")
    return key, key, key[1:]


def address_key(address: str) -> str:
    """For look-ups; a text that is no address is found nowhere."""
    try:
        key = parse_mailbox(address).key()
    except AddressError:
        return ""
    return key if is_encodable(key) else ""


def domain_of(text: str) -> str:
    """A domain as A-labels. Raises NotAllowed."""
    try:
        if text.startswith("["):
            raise AddressError("an address literal")
        return normalise_domain(text)
    except AddressError as error:
        raise NotAllowed(f"{text!r} is not a domain: {error}") from error


def is_host_name(domain: str) -> bool:
    """Whether A-labels hold what a name with mail may hold (RFC 5321 §4.1.2)."""
    return _HOST_NAME.fullmatch(domain) is not None


def catch_all_key(alias: str) -> str | None:
    """`@domain` for look-ups, None when the alias is no catch-all. Raises NotAllowed."""
    return f"@{domain_of(alias[1:])}" if alias.startswith("@") else None


def is_encodable(text: str) -> bool:
    """False for lone surrogates, which no database takes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
