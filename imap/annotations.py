"""Metadata entries with a meaning of their own: computed ones, and what values others may have.

/shared/admin of the server is read-only (RFC 5464 §6.2.2); /private/specialuse of a mailbox is its
special-use attribute (RFC 6154 §4), which its owner alone sees and sets. Names and colours of
keywords are private entries of the server.
"""

import re
from collections.abc import Mapping
from typing import Final

from imap.grammar.filters import is_too_deep, parse_criteria
from imap.grammar.values import INBOX
from imap.replies import No
from imap.session import Session
from storage.values import Mailbox

ADMIN: Final = "/shared/admin"
SPECIAL_USE: Final = "/private/specialuse"
USES: Final = {
    name.lower(): name for name in ("\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash")
}
TAGS: Final = "/private/vendor/mailserver/tags/"
FILTERS: Final = ("/private/filters/values/", "/shared/filters/values/")
_FILTER_NAME: Final = re.compile(r"[^\0- (){%*\"\\\]/\x7f]+")
_COLOR: Final = re.compile(rb"#[0-9A-Fa-f]{6}")


def computed_for_server(session: Session) -> dict[str, bytes]:
    """The server's own entries."""
    settings = session.context.settings
    domain = settings.domains[0] if settings.domains else settings.hostname
    return {ADMIN: f"mailto:postmaster@{domain}".encode()}


def computed_for_mailbox(session: Session, box: Mailbox) -> dict[str, bytes]:
    """Those of a mailbox."""
    if box.account != session.account or not box.special_use:
        return {}
    return {SPECIAL_USE: box.special_use.encode()}


def special_use_of(value: bytes | None) -> str:
    """The attribute that a value of /private/specialuse stands for. Raises No."""
    words = (value or b"").decode("ascii", "replace").split()
    if len(words) > 1 or any(word.lower() not in USES for word in words):
        raise No("No such special use", b"USEATTR")
    return USES[words[0].lower()] if words else ""


def check_server_values(values: Mapping[str, bytes | None], admin: bool) -> None:
    """What the server's entries may be set to, and by whom. Raises No."""
    for name, value in values.items():
        if name == ADMIN:
            raise No(f"{ADMIN} can't be changed", b"CANNOT")
        if name.startswith("/shared/") and not admin:
            raise No("Only administrators change what all users share", b"NOPERM")
        if value is not None and name.startswith(FILTERS):
            _check_filter(name, value)
        if name.startswith(TAGS) and value is not None:
            _check_tag(name, value)


def _check_filter(name: str, value: bytes) -> None:
    key = parse_criteria(value)
    if key is None or is_too_deep(key):
        raise No("The value is no search criterion", b"CANNOT")
    if _FILTER_NAME.fullmatch(name.rpartition("/filters/values/")[2]) is None:
        raise No("That is no name of a filter", b"CANNOT")


def _check_tag(name: str, value: bytes) -> None:
    keyword, slash, what = name.removeprefix(TAGS).partition("/")
    if not keyword or not slash or what not in ("name", "color"):
        raise No("A tag has the entries name and color", b"CANNOT")
    if what == "color" and _COLOR.fullmatch(value) is None:
        raise No("A color is written like #cc0000", b"CANNOT")


def check_special_use(session: Session, box: Mailbox, value: bytes | None) -> str:
    """The attribute that a mailbox is to have. Raises No."""
    if box.account != session.account:
        raise No("Only its owner says what a mailbox is for", b"NOPERM")
    use = special_use_of(value)
    if use and box.name == INBOX:
        raise No("INBOX has no special use", b"USEATTR")
    return use
