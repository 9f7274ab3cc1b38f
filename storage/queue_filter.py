"""Which mail of the queue is meant: one language for `queue list`, `queue shape`, hold rules."""

from dataclasses import dataclass
from typing import Self

from storage.values import AccountId


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """None matches all; `sender` "" is the null sender. Addresses are in lower case, `domain` is
    the recipient's, `account` whose mail it is.
    """

    sender: str | None = None
    recipient: str | None = None
    domain: str | None = None
    account: AccountId | None = None

    @classmethod
    def of(
        cls,
        sender: str | None = None,
        recipient: str | None = None,
        domain: str | None = None,
        account: AccountId | None = None,
    ) -> Self:
        """As people write them, "<>" for the null sender."""
        return cls(_plain(sender), _plain(recipient), _plain(domain), account)

    @property
    def is_empty(self) -> bool:
        """It matches everything."""
        return self == QueueFilter()

    def fits_message(self, sender: str, account: AccountId | None) -> bool:
        """As far as the message tells; its recipients may still not fit."""
        return self.sender in (None, sender.lower()) and self.account in (None, account)

    def fits_recipient(self, address: str) -> bool:
        """As far as one recipient tells."""
        lower = address.lower()
        return self.recipient in (None, lower) and self.domain in (None, lower.rpartition("@")[2])


def _plain(text: str | None) -> str | None:
    return None if text is None else text.lower().removeprefix("<").removesuffix(">")
