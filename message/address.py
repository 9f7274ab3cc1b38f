"""Envelope addresses: RFC 5321 and RFC 6531 Mailbox."""

from dataclasses import dataclass


class AddressError(ValueError):
    """The text is no Mailbox; the message says why in a few plain words."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """`local` unquoted, case kept; `domain` lower case, A-labels, or an address literal in []."""

    local: str
    domain: str

    @property
    def is_ascii(self) -> bool: ...
    def key(self) -> str:
        """For look-ups: "local@domain", case-folded."""
    def split(self, separator: str = "+") -> tuple["Mailbox", str]:
        """Without its sub-address, and the sub-address ("" if none)."""
    def __str__(self) -> str:
        """RFC 5321 form, the local part quoted where needed."""


def parse_mailbox(text: str) -> Mailbox:
    """Raises AddressError. Limits in octets: local 64, domain 255, whole path 256."""
def normalise_domain(text: str) -> str:
    """Lower case A-labels; raises AddressError."""
