"""Mailbox names: INBOX in any case, `/` between levels, and what is refused. Pure."""

import re

from storage.errors import MailboxForbidden
from storage.maildir_names import MAX_FOLDER, SEPARATOR, folder_path

INBOX = "INBOX"
OTHERS = "Other Users"
"""Below it, and an address, stand the mailboxes of other users (RFC 2342)."""
MAX_LEVELS = 64
# Beside wildcards what RFC 5198 §2 leaves out: controls, separators of lines; and half characters.
_FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f%*\u2028\u2029\ud800-\udfff]")


def normal(name: str) -> str:
    """The stored spelling: INBOX as first level in capitals (RFC 9051 §5.1)."""
    first, slash, rest = name.partition(SEPARATOR)
    return INBOX + slash + rest if first.upper() == INBOX else name


def checked(name: str) -> str:
    """A name fit for a new mailbox. Raises MailboxForbidden."""
    name = normal(name.removesuffix(SEPARATOR))
    levels = name.split(SEPARATOR)
    if not all(levels) or len(levels) > MAX_LEVELS:
        raise MailboxForbidden("a mailbox name has no empty levels, and at most 64")
    if _FORBIDDEN.search(name):
        raise MailboxForbidden("a mailbox name has no control characters, % or *")
    if len(folder_path(name)) > MAX_FOLDER:
        raise MailboxForbidden("the mailbox name is too long")
    return name


def parents(name: str) -> list[str]:
    """The names above, the highest first."""
    levels = name.split(SEPARATOR)
    return [SEPARATOR.join(levels[:count]) for count in range(1, len(levels))]


def is_below(name: str, parent: str) -> bool:
    return name.startswith(parent + SEPARATOR)


def sort_key(name: str) -> tuple[bool, str]:
    """INBOX first, then by name."""
    return (name != INBOX, name)
