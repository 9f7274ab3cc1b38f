"""Names of lists outside the script (RFC 6134 §2.1): URIs, short ones below a URN of Sieve's."""

from typing import Final
from urllib.parse import unquote

URN: Final = "urn:ietf:params:sieve"
ADDRESS_BOOK: Final = URN + ":addrbook:default"
CORRESPONDENTS: Final = URN + ":correspondents"  # of ours, no registered name


def list_name(name: str) -> str:
    """The whole URI of a name that begins with a colon; others as they are."""
    return URN + name if name.startswith(":") else name


def plain_name(name: str) -> str:
    """The whole URI with its percent-encoding undone: the form in which names are compared."""
    return unquote(list_name(name))
