"""The rights of an access control list as values (RFC 4314 §2); pure.

Rights are a string of letters in one order, each once. `c` and `d` of RFC 2086 are read and shown,
never kept: `c` stands for `k` and `x`, `d` for `t` and `e` (§2.1.1).
"""

from typing import Final, NewType

Rights = NewType("Rights", str)

ALL: Final = Rights("lrswipkxtea")
NONE: Final = Rights("")
VIRTUAL: Final = {"c": "kx", "d": "te"}


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
