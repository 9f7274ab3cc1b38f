"""Address lists of header fields (RFC 5322 §3.4 and §4.4), tolerant: nothing broken loses the rest."""

from typing import NamedTuple


class Address(NamedTuple):
    """Raw bytes. domain None marks a group: its start (local is the name) or its end (local None)."""

    name: bytes | None
    route: bytes | None
    local: bytes | None
    domain: bytes | None

    @property
    def display(self) -> str: ...
    @property
    def text(self) -> str: ...


def parse_address_list(value: bytes) -> list[Address]: ...
def mailboxes(value: bytes) -> list[Address]:
    """Without the group markers."""
