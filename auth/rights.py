"""The rights of an access control list, and what lists come to for a user (RFC 4314 §2). Values
only.

Rights are a string of letters in one order, each once. `c` and `d` of RFC 2086 are read and shown,
never kept: `c` stands for `k` and `x`, `d` for `t` and `e` (§2.1.1).
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NewType

from storage.acl import EVERYBODY, Entries, Entry
from storage.values import AccountId, Flags, System

Rights = NewType("Rights", str)

ALL: Final = Rights("lrswipkxtea")
NONE: Final = Rights("")
KEPT: Final = Rights("lra")
"""What the owner of a mailbox has whatever its list says, so that nobody is locked out."""
VIRTUAL: Final = {"c": "kx", "d": "te"}


def needed_for(flags: Flags) -> set[str]:
    """The rights that a change of these needs (§4), \\Deleted aside."""
    seen = {"s"} if flags.system & System.SEEN else set[str]()
    others = flags.system & ~System.SEEN or flags.keywords
    return seen | ({"w"} if others else set())


def rights_of(letters: str) -> Rights:
    """In their order, without doubles, virtual rights replaced by their members.

    Raises ValueError for a letter that is no right.
    """
    members = {member for letter in letters for member in VIRTUAL.get(letter, letter)}
    if unknown := members.difference(ALL):
        raise ValueError(f"no such right: {min(unknown)}")
    return Rights("".join(letter for letter in ALL if letter in members))


def united(*several: Rights) -> Rights:
    """Every right that one of them has."""
    return rights_of("".join(several))


def without(rights: Rights, taken: Rights) -> Rights:
    """The rights that are left."""
    return Rights("".join(letter for letter in rights if letter not in taken))


def shown(rights: Rights) -> str:
    """As ACL and MYRIGHTS write them: a virtual right follows when one of its members is there."""
    virtual = [name for name, members in VIRTUAL.items() if not set(members).isdisjoint(rights)]
    return rights + "".join(virtual)


@lru_cache(512)
def effective(entries: Entries, user: AccountId, owner: AccountId, anyone: bool = True) -> Rights:
    """What a user may do: the union of what is given to the user and to everybody, less the union
    of what is taken from them (§2 leaves the combination to the server).

    The owner has every right unless the list has an entry for the owner. `anyone`: whether what is
    given to everybody counts.
    """
    mine = [entry for entry in entries if entry.grantee in (user, EVERYBODY)]
    given = _sum(
        entry for entry in mine if not entry.negative and (anyone or entry.grantee == user)
    )
    if user == owner and not any(entry.grantee == owner and not entry.negative for entry in mine):
        given = ALL
    left = without(given, _sum(entry for entry in mine if entry.negative))
    return united(left, KEPT) if user == owner else left


def _sum(entries: Iterable[Entry]) -> Rights:
    return rights_of("".join(entry.rights for entry in entries))


def edited(entries: Entries, changed: Entry, sign: str, owner: AccountId) -> Entries:
    """The list after SETACL: `sign` is "+", "-" or "", which replaces (§3.1).

    Nothing left is no entry, but for the owner, whose absence means every right.
    """
    implied = ALL if changed.grantee == owner and not changed.negative else NONE
    old = next((Rights(e.rights) for e in entries if e[:2] == changed[:2]), implied)
    rights = Rights(changed.rights)
    if sign:
        rights = united(old, rights) if sign == "+" else without(old, rights)
    rest = [entry for entry in entries if entry[:2] != changed[:2]]
    if changed.grantee == owner and not changed.negative:
        rights = united(rights, KEPT)
        keep = rights != ALL
    else:
        keep = bool(rights)
    return tuple(sorted([*rest, changed._replace(rights=str(rights))] if keep else rest))
