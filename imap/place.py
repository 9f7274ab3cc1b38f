"""The place that a mailbox name stands for: the account, its mailbox, and the user's rights there.

Values only; imap/mailboxes.py finds them. Mailboxes of other users stand below `Other Users/` and
their address (RFC 2342). Invariant: what a user may not see is answered like what does not
exist (RFC 4314 §6).
"""

from dataclasses import dataclass, replace

from auth.rights import Rights
from imap.replies import No
from storage.names import OTHERS
from storage.values import AccountId, Mailbox, Settable, System


@dataclass(frozen=True, slots=True)
class Place:
    """`name` is the account's own, `shown` the session's. `box` is None where there is none."""

    account: AccountId
    name: str
    shown: str
    box: Mailbox | None
    rights: Rights

    def need(self, right: str) -> Mailbox:
        """The selectable mailbox, for whoever has the right. Raises No."""
        if self.box is None or not self.box.selectable:
            raise No("The mailbox does not exist", b"NONEXISTENT")
        return self.named(right)

    def named(self, right: str) -> Mailbox:
        """As `need`, of any mailbox that LIST gives, one that only holds others among them."""
        if self.box is None:
            raise No("The mailbox does not exist", b"NONEXISTENT")
        self.check(right)
        return self.box

    def target(self, right: str) -> Mailbox:
        """As `need`, for APPEND, COPY and MOVE: TRYCREATE where CREATE may help."""
        if (self.box is None or not self.box.selectable) and not is_others(self.shown):
            raise No("The mailbox does not exist", b"TRYCREATE")
        return self.need(right)

    def check(self, right: str) -> None:
        """Raises No for whoever does not have the right."""
        if right not in self.rights:
            if "l" in self.rights:
                raise No("You have no right to do that", b"NOPERM")
            raise No("The mailbox does not exist", b"NONEXISTENT")

    def renamed(self, name: str) -> "Place":
        """The same mailbox under another name of its account."""
        prefix = self.shown.removesuffix(self.name)
        return replace(self, name=name, shown=prefix + name)


def settable(rights: Rights) -> Settable:
    """The flags that these rights let a user change (RFC 4314 §4)."""
    system = System(0)
    if "s" in rights:
        system |= System.SEEN
    if "t" in rights:
        system |= System.DELETED
    if "w" in rights:
        system |= System.ANSWERED | System.FLAGGED | System.DRAFT
    return Settable(system, keywords="w" in rights)


def is_others(name: str) -> bool:
    """Whether a name is, or stands below, the namespace of other users."""
    return name == OTHERS or name.startswith(OTHERS + "/")
