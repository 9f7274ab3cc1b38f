"""Capabilities that an account does without, or has beside the usual: chosen by account.

A masked capability is not announced, ENABLE leaves it out, and the commands that it brought are
unknown. Nothing else of it is refused: a client that does not read CAPABILITY gets what it asks
for. Presets are for clients that break on what they ask for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from imap.capabilities import TABLE, Phase
from imap.grammar.acl import DeleteAcl, GetAcl, ListRights, MyRights, SetAcl
from imap.grammar.command import (
    Compress,
    Enable,
    Id,
    Idle,
    Move,
    Namespace,
    Notify,
    Replace,
    Unauthenticate,
    Unselect,
    Xlist,
)
from imap.grammar.metadata import GetMetadata, SetMetadata
from imap.grammar.quota import GetQuota, GetQuotaRoot, SetQuota
from imap.grammar.search_commands import CancelUpdate, Esearch, Sort, Thread
from storage.directory_values import Account

GMAIL: Final = "X-GM-EXT-1"
PRESETS: Final[Mapping[str, tuple[str, ...]]] = {
    # New Outlook and its like enable UIDONLY and then fetch by number (modern-email/defects#49).
    "microsoft-sync": ("UIDONLY", "MESSAGELIMIT", "IMAP4rev2"),
    # As an old server looks: for clients that mistake what is told them by extensions.
    "plain": (
        "CONDSTORE",
        "QRESYNC",
        "NOTIFY",
        "COMPRESS=DEFLATE",
        "ENABLE",
        "IMAP4rev2",
        "UTF8=ACCEPT",
        "LIST-EXTENDED",
        "METADATA",
        "OBJECTID",
    ),
}
_KEPT: Final = frozenset({"IMAP4REV1"})
_OF_COMMAND: Final[Mapping[type, str]] = {
    GetMetadata: "METADATA",
    SetMetadata: "METADATA",
    GetQuota: "QUOTA",
    GetQuotaRoot: "QUOTA",
    SetQuota: "QUOTASET",
    Sort: "SORT",
    Thread: "THREAD=REFERENCES",
    Esearch: "MULTISEARCH",
    CancelUpdate: "CONTEXT=SEARCH",
    Enable: "ENABLE",
    Id: "ID",
    Idle: "IDLE",
    Compress: "COMPRESS=DEFLATE",
    Move: "MOVE",
    Namespace: "NAMESPACE",
    Notify: "NOTIFY",
    Replace: "REPLACE",
    Unauthenticate: "UNAUTHENTICATE",
    Unselect: "UNSELECT",
    Xlist: "XLIST",
    **dict.fromkeys((DeleteAcl, GetAcl, ListRights, MyRights, SetAcl), "ACL"),
}


@dataclass(frozen=True, slots=True)
class Choices:
    """Names in upper case: `masked` ones are not there, `granted` ones only by this."""

    masked: frozenset[str] = frozenset()
    granted: frozenset[str] = frozenset()

    @classmethod
    def of(cls, account: Account | None) -> "Choices":
        """An account's."""
        if account is None or not (account.imap_mask or account.gmail_labels):
            return NO_CHOICES
        granted = frozenset({GMAIL}) if account.gmail_labels else frozenset[str]()
        masked = frozenset(expanded(account.imap_mask))
        return cls(masked, granted) if masked or granted else NO_CHOICES

    def hides(self, command: type) -> bool:
        """Whether a command is unknown to the account."""
        return bool(self.masked) and _OF_COMMAND.get(command, "") in self.masked


NO_CHOICES: Final = Choices()


def expanded(names: Iterable[str]) -> set[str]:
    """The capabilities of names and presets, in upper case."""
    return {each.upper() for name in names for each in PRESETS.get(name.lower(), (name,))} - _KEPT


def unknown(names: Iterable[str]) -> list[str]:
    """Those of the names that no mask can have."""
    known = {row.key.upper() for row in TABLE if Phase.LOGGED_IN in row.phase} - _KEPT
    return [name for name in names if name.lower() not in PRESETS and name.upper() not in known]
