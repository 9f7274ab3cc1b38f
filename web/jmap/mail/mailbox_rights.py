"""Rights in mailboxes as JMAP words them (RFC 8621 §2, draft-ietf-jmap-mail-sharing), out of the
letters of RFC 4314 and back. Pure.
"""

from collections.abc import Mapping
from typing import Any, Final

from auth.rights import NONE, Rights, rights_of, united, without
from storage.names import INBOX
from storage.values import Mailbox

SHARE: Final = "urn:ietf:params:jmap:mail:share"
"""The capability that shareWith and mayShare belong to."""
LETTERS: Final = {
    "mayReadItems": "lr",
    "mayAddItems": "i",
    "mayRemoveItems": "te",
    "maySetSeen": "s",
    "maySetKeywords": "w",
    "mayCreateChild": "k",
    "mayRename": "x",
    "mayDelete": "x",
    "maySubmit": "p",
    "mayShare": "a",
}
"""A right is there with all of its letters."""
_STAYS: Final = ("mayRename", "mayDelete")
"""What nobody may do to INBOX."""


def told_rights(rights: Rights, box: Mailbox, *, share: bool) -> dict[str, bool]:
    """MailboxRights: what holds only others has no messages to do anything with. `share`: with
    mayShare.
    """
    may = set(rights) if box.selectable else set(rights) & set("lkxa")
    kept = _STAYS if box.name == INBOX else ()
    return {
        name: set(letters) <= may and name not in kept
        for name, letters in LETTERS.items()
        if share or name != "mayShare"
    }


def given_rights(old: Rights, before: Mapping[str, bool], after: Any) -> Rights:
    """Letters in place of `old`, told as `before`, for the MailboxRights `after`. Letters of rights
    that are not changed stay; whoever has something sees the mailbox. Raises ValueError, whose text
    may be shown.
    """
    if not isinstance(after, dict) or not all(
        name in LETTERS and isinstance(one, bool) for name, one in after.items()
    ):
        raise ValueError("an object of MailboxRights is needed")
    wanted = {name: after.get(name, False) for name in LETTERS}
    if wanted["mayRename"] is not wanted["mayDelete"]:
        raise ValueError("mayRename and mayDelete are one right here")
    rights = old
    for name, letters in LETTERS.items():
        if wanted[name] is not before.get(name, False):
            change = rights_of(letters.replace("l", ""))
            rights = united(rights, change) if wanted[name] else without(rights, change)
    if not any(wanted.values()):
        return NONE
    if not wanted["mayReadItems"]:  # `r` alone would begin to count
        rights = without(rights, Rights("r"))
    return united(rights, Rights("l"))
