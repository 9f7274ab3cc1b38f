"""Capabilities that an account does without, or has beside the usual: chosen by account.

A masked capability is not announced, ENABLE leaves it out, and the commands that it brought are
unknown. What builds on it goes with it. Nothing else is refused: a client that does not read
CAPABILITY gets what it asks for. Presets are for clients that break on what they ask for.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from imap.capabilities import TABLE, Phase
from imap.grammar.acl import DeleteAcl, GetAcl, ListRights, MyRights, SetAcl
from imap.grammar.append_commands import Replace
from imap.grammar.mailbox_commands import Namespace, Xlist
from imap.grammar.message_commands import Idle, Move, Notify, Unselect
from imap.grammar.metadata import GetMetadata, SetMetadata
from imap.grammar.quota import GetQuota, GetQuotaRoot, SetQuota
from imap.grammar.search_commands import CancelUpdate, Esearch, Sort, Thread
from imap.grammar.session_commands import Compress, Enable, GetJmapAccess, Id, Unauthenticate
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
# What means nothing without another: a client that is told of RIGHTS= sends SETACL.
_BUILDS_ON: Final[Mapping[str, tuple[str, ...]]] = {
    "ENABLE": ("IMAP4REV2", "QRESYNC", "UTF8=ACCEPT", "UIDONLY"),
    "CONDSTORE": ("QRESYNC",),
    "SPECIAL-USE": ("CREATE-SPECIAL-USE",),
    "LIST-EXTENDED": ("LIST-STATUS", "LIST-METADATA", "LIST-MYRIGHTS"),
    "METADATA": ("LIST-METADATA", "FILTERS"),
    "OBJECTID": ("JMAPACCESS",),
    "ACL": ("RIGHTS=KXTE", "LIST-MYRIGHTS"),
    "QUOTA": ("QUOTASET", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE"),
    "ESEARCH": ("SEARCHRES", "PARTIAL", "CONTEXT=SEARCH", "ESORT", "MULTISEARCH"),
    "SORT": ("SORT=DISPLAY", "ESORT"),
    "ESORT": ("CONTEXT=SORT",),
}
# Unknown once all of these are hidden.
_OF_COMMAND: Final[Mapping[type, tuple[str, ...]]] = {
    GetMetadata: ("METADATA",),
    SetMetadata: ("METADATA",),
    GetQuota: ("QUOTA",),
    GetQuotaRoot: ("QUOTA",),
    SetQuota: ("QUOTASET",),
    Sort: ("SORT",),
    Thread: ("THREAD=REFERENCES", "THREAD=REFS", "THREAD=ORDEREDSUBJECT"),
    Esearch: ("MULTISEARCH",),
    CancelUpdate: ("CONTEXT=SEARCH", "CONTEXT=SORT"),
    Enable: ("ENABLE",),
    Id: ("ID",),
    Idle: ("IDLE",),
    Compress: ("COMPRESS=DEFLATE",),
    Move: ("MOVE",),
    Namespace: ("NAMESPACE",),
    Notify: ("NOTIFY",),
    Replace: ("REPLACE",),
    GetJmapAccess: ("JMAPACCESS",),
    Unauthenticate: ("UNAUTHENTICATE",),
    Unselect: ("UNSELECT",),
    Xlist: ("XLIST",),
    **dict.fromkeys((DeleteAcl, GetAcl, ListRights, MyRights, SetAcl), ("ACL",)),
}


@dataclass(frozen=True, slots=True)
class Choices:
    """Names in upper case: `masked` ones are not there, `granted` ones only by this."""

    masked: frozenset[str] = frozenset()
    granted: frozenset[str] = frozenset()

    @classmethod
    def of(cls, account: Account | None, preset: str = "") -> "Choices":
        """An account's, with a preset, or a capability, that its app password hides."""
        if account is None or not (account.imap_mask or account.gmail_labels or preset):
            return NO_CHOICES
        granted = frozenset({GMAIL}) if account.gmail_labels else frozenset[str]()
        masked = frozenset(expanded((*account.imap_mask, *([preset] if preset else ()))))
        return cls(masked, granted) if masked or granted else NO_CHOICES

    def hides(self, command: type) -> bool:
        """Whether a command is unknown to the account."""
        if not self.masked:
            return False
        names = _OF_COMMAND.get(command)
        return names is not None and self.masked.issuperset(names)


NO_CHOICES: Final = Choices()


def expanded(names: Iterable[str]) -> set[str]:
    """The capabilities of names and presets with what builds on them, in upper case."""
    found: set[str] = set()
    fresh = {each.upper() for name in names for each in PRESETS.get(name.lower(), (name,))} - _KEPT
    while fresh:
        found |= fresh
        fresh = {each for name in fresh for each in _BUILDS_ON.get(name, ())} - found
    return found


def unknown(names: Iterable[str]) -> list[str]:
    """Those of the names that no mask can have."""
    known = {row.key.upper() for row in TABLE if Phase.LOGGED_IN in row.phase} - _KEPT
    return [name for name in names if name.lower() not in PRESETS and name.upper() not in known]
