"""Search keys to bytes, in the words of RFC 9051 §6.4.4; strings go in UTF-8."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from imap.grammar.dates import format_date
from imap.grammar.encode import astring, quoted, sequence_set
from imap.grammar.gmail import encode_label
from imap.grammar.search_key import (
    AgeKey,
    AllKey,
    AndKey,
    DateKey,
    FilterKey,
    FlagKey,
    FuzzyKey,
    GmailField,
    GmailKey,
    HeaderKey,
    IdKey,
    ModseqKey,
    NotKey,
    OrKey,
    SearchKey,
    SetKey,
    SizeKey,
    TextKey,
)
from imap.grammar.values import RECENT, SYSTEM_FLAGS


def search_keys(key: SearchKey) -> bytes:
    """The program of SEARCH; an AndKey at the top needs no parentheses."""
    if isinstance(key, AndKey):
        return b" ".join([_key(part) for part in key.keys])
    return _key(key)


def _key(key: SearchKey) -> bytes:
    return _ENCODERS[type(key)](key)


def _text(value: str) -> bytes:
    return astring(value.encode("utf-8"), plus=True)


def _flag(key: FlagKey) -> bytes:
    if key.flag == RECENT:
        return b"RECENT" if key.present else b"OLD"
    if key.flag in SYSTEM_FLAGS:
        return (b"" if key.present else b"UN") + key.flag[1:].upper().encode()
    return (b"KEYWORD " if key.present else b"UNKEYWORD ") + key.flag.encode()


def _gmail(key: GmailKey) -> bytes:
    value = encode_label(key.value) if key.field is GmailField.LABELS else _text(key.value)
    return f"{key.field.value} ".encode() + value


def _modseq(key: ModseqKey) -> bytes:
    entry = b""
    if key.entry is not None:
        entry = b"%s %s " % (quoted(key.entry.encode()), (key.entry_type or "all").encode())
    return b"MODSEQ %s%d" % (entry, key.modseq)


def _date(key: DateKey) -> bytes:
    return f"{key.field.value}{key.relation.value} ".encode() + format_date(key.day)


def _set(key: SetKey) -> bytes:
    return (b"UID " if key.uid else b"") + sequence_set(key.sequence)


def _header(key: HeaderKey) -> bytes:
    return b"HEADER %s %s" % (_text(key.name), _text(key.value))


def _text_key(key: TextKey) -> bytes:
    return b"%s %s" % (key.field.value.encode(), _text(key.value))


def _size(key: SizeKey) -> bytes:
    return b"%s %d" % (b"LARGER" if key.larger else b"SMALLER", key.size)


def _age(key: AgeKey) -> bytes:
    return b"%s %d" % (b"OLDER" if key.older else b"YOUNGER", key.seconds)


_ENCODERS: Final[Mapping[type, Callable[[Any], bytes]]] = {
    AgeKey: _age,
    AllKey: lambda _: b"ALL",
    AndKey: lambda key: b"(%s)" % search_keys(key),
    DateKey: _date,
    FilterKey: lambda key: f"FILTER {key.name}".encode(),
    FlagKey: _flag,
    FuzzyKey: lambda key: b"FUZZY " + _key(key.key),
    GmailKey: _gmail,
    HeaderKey: _header,
    IdKey: lambda key: f"{key.field.value} {key.value}".encode(),
    ModseqKey: _modseq,
    NotKey: lambda key: b"NOT " + _key(key.key),
    OrKey: lambda key: b"OR %s %s" % (_key(key.left), _key(key.right)),
    SetKey: _set,
    SizeKey: _size,
    TextKey: _text_key,
}
