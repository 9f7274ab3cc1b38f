"""Parser of SEARCH (RFC 9051 §6.4.4; RFC 4731; RFC 5032; RFC 5182; RFC 5267; RFC 5466; RFC 6203;
RFC 7162 §3.1.5; RFC 8474 §5.5; RFC 8514 §4.3; RFC 9394; RFC 9738), and of what is built on it.

Strings are decoded here, so that the charset ends here. Keys nest MAX_DEPTH deep at most, NOT, OR
and FUZZY included. Without CHARSET, strings are UTF-8, which US-ASCII is part of.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from encodings.aliases import aliases
from typing import Final, TypeAlias

from imap.grammar.command import Command
from imap.grammar.dates import parse_date
from imap.grammar.frame import ParseError, Status
from imap.grammar.gmail import parse_label
from imap.grammar.message_commands import Search
from imap.grammar.search_key import (
    AgeKey,
    AllKey,
    AndKey,
    DateField,
    DateKey,
    DateRelation,
    FilterKey,
    FlagKey,
    FuzzyKey,
    GmailField,
    GmailKey,
    HeaderKey,
    IdField,
    IdKey,
    ModseqKey,
    NotKey,
    OrKey,
    SearchKey,
    SearchReturn,
    SetKey,
    SizeKey,
    TextField,
    TextKey,
)
from imap.grammar.tokens import MAX_NUMBER, MAX_NUMBER64, Cursor
from imap.grammar.values import (
    ANSWERED,
    DELETED,
    DRAFT,
    FLAGGED,
    RECENT,
    SEEN,
    SequenceSet,
)
from imap.grammar.window import Window, parse_window

MAX_DEPTH: Final = 50
_CODECS: Final = frozenset(aliases.values())

_RETURNS: Final = {option.value: option for option in SearchReturn}
_WORD: Final = re.compile(rb"[A-Za-z]+(?:-[A-Za-z]+)*")
_FILTER: Final = re.compile(rb"[!#$&'+,\-.0-9:;<=>?@A-Z\[^_`a-z|}~]+(?=[ )]|$)")
_OBJECT_ID: Final = re.compile(rb"[A-Za-z0-9_-]{1,255}(?=[ )]|$)")
_FLAG_WORDS: Final = {
    "ANSWERED": ANSWERED,
    "DELETED": DELETED,
    "DRAFT": DRAFT,
    "FLAGGED": FLAGGED,
    "SEEN": SEEN,
}
_FIXED: Final[Mapping[str, SearchKey]] = {
    "ALL": AllKey(),
    "SAVEDATESUPPORTED": AllKey(),
    "NEW": AndKey((FlagKey(RECENT), FlagKey(SEEN, False))),
    "OLD": FlagKey(RECENT, False),
    "RECENT": FlagKey(RECENT),
    **{word: FlagKey(flag) for word, flag in _FLAG_WORDS.items()},
    **{f"UN{word}": FlagKey(flag, False) for word, flag in _FLAG_WORDS.items()},
}
_DATES: Final = {
    field.value + relation.value: (field, relation)
    for field in DateField
    for relation in DateRelation
}
_TEXTS: Final = {field.value: field for field in TextField}


def parse_search(cursor: Cursor) -> Search:
    """SEARCH and UID SEARCH."""
    cursor.space()
    returns, partial = return_options(cursor)
    charset = "utf-8"
    if cursor.next_word() == "CHARSET":
        cursor.word("CHARSET")
        if not cursor.charsets:
            raise cursor.error("no CHARSET behind ENABLE UTF8=ACCEPT: it is UTF-8")
        cursor.space()
        charset = charset_name(cursor, returns)
        cursor.space()
    key = search_program(cursor, charset)
    check_relevancy(cursor, key, returns is not None and SearchReturn.RELEVANCY in returns)
    return Search(cursor.frame.tag, cursor.frame.uid, key, returns, partial)


def return_options(
    cursor: Cursor,
) -> tuple[frozenset[SearchReturn] | None, Window | None]:
    """`RETURN (...)` with the space behind it, if it stands here; the page that PARTIAL names."""
    if cursor.next_word() != "RETURN":
        return None, None
    cursor.word("RETURN")
    cursor.space()
    cursor.open("return options")
    found: set[SearchReturn] = set()
    partial: Window | None = None
    while cursor.more():
        option = _return_option(cursor)
        if option is SearchReturn.PARTIAL:
            if partial is not None:
                raise cursor.error("PARTIAL may be given once")
            cursor.space()
            partial = parse_window(cursor)
        found.add(option)
    if {SearchReturn.PARTIAL, SearchReturn.ALL} <= found:
        raise cursor.error("PARTIAL and ALL exclude each other")
    if not found - {SearchReturn.CONTEXT}:  # a hint, which asks for nothing by itself
        found.add(SearchReturn.ALL)
    cursor.space()
    return frozenset(found), partial


def _return_option(cursor: Cursor) -> SearchReturn:
    word = cursor.word("a return option such as COUNT")
    if word not in _RETURNS:
        raise cursor.error(f"unknown return option {word}")
    return _RETURNS[word]


def search_program(cursor: Cursor, charset: str) -> SearchKey:
    """The keys up to the end of the command."""
    return _Keys(cursor, charset).all_of(lambda: not cursor.at_end(), 0)


def check_relevancy(cursor: Cursor, key: SearchKey, asked: bool) -> None:
    """Scores are for FUZZY keys only (RFC 6203 §4, §6)."""
    if asked and not _has_fuzzy(key):
        raise cursor.error("RELEVANCY needs a FUZZY key")


def _has_fuzzy(key: SearchKey) -> bool:
    if isinstance(key, AndKey):
        return any(map(_has_fuzzy, key.keys))
    if isinstance(key, OrKey):
        return _has_fuzzy(key.left) or _has_fuzzy(key.right)
    if isinstance(key, NotKey):
        return _has_fuzzy(key.key)
    return isinstance(key, FuzzyKey)


def charset_name(cursor: Cursor, returns: frozenset[SearchReturn] | None = None) -> str:
    """A charset that Python knows; its table is asked, as a look-up would keep every name sent."""
    name = cursor.astring("the name of a charset").decode("ascii", "replace").lower()
    known = name.replace("-", "_").replace(":", "_").replace(" ", "_")
    codec = aliases.get(known, known)
    if codec in _CODECS and _is_text(codec):
        return codec
    error = cursor.error("unknown charset", "BADCHARSET (US-ASCII UTF-8)", Status.NO)
    saving = returns is not None and SearchReturn.SAVE in returns
    raise ParseError(replace(error.rejected, forgets_result=saving))


def _is_text(codec: str) -> bool:
    """Whether it makes text; base64 and the like are among Python's codecs too."""
    try:
        b"a".decode(codec, "replace")
    except LookupError:
        return False
    return True


class _Keys:
    """The keys of one command."""

    __slots__ = ("_charset", "_cursor")

    def __init__(self, cursor: Cursor, charset: str) -> None:
        self._cursor = cursor
        self._charset = charset

    def all_of(self, more: Callable[[], bool], depth: int) -> SearchKey:
        """Keys up to an end, at least one; a single one stands for itself."""
        keys = [self._key(depth)]
        while more():
            keys.append(self._key(depth))
        return keys[0] if len(keys) == 1 else AndKey(tuple(keys))

    def _key(self, depth: int) -> SearchKey:
        cursor = self._cursor
        if depth > MAX_DEPTH:
            raise cursor.error(f"search keys nested more than {MAX_DEPTH} deep")
        first = cursor.peek()
        if first == b"(":
            cursor.open("search keys")
            return self.all_of(cursor.more, depth + 1)
        if first.isdigit() or first in (b"*", b"$"):
            return SetKey(cursor.sequence())
        start = cursor.position
        word = cursor.match(_WORD, "a search key such as UNSEEN")[0].decode().upper()
        fixed = _FIXED.get(word)
        if fixed is not None:
            return fixed
        if word in ("NOT", "OR", "FUZZY"):
            return self._combined(word, depth + 1)
        parse = _ARGUMENTS.get(word)
        if parse is None:
            cursor.position = start
            cursor.fail("a search key such as UNSEEN")
        cursor.space()
        return parse(self, word)

    def _combined(self, word: str, depth: int) -> SearchKey:
        self._cursor.space()
        first = self._key(depth)
        if word == "NOT":
            return NotKey(first)
        if word == "FUZZY":
            return FuzzyKey(first)
        self._cursor.space()
        return OrKey(first, self._key(depth))

    def _string(self, what: str) -> str:
        octets = self._cursor.astring(what)
        try:
            return octets.decode(self._charset)
        except UnicodeError:
            raise self._cursor.error(f"expected {what} in {self._charset}") from None

    def keyword(self, word: str) -> SearchKey:
        """KEYWORD and UNKEYWORD."""
        return FlagKey(self._cursor.flag("a keyword"), word == "KEYWORD")

    def text(self, word: str) -> SearchKey:
        """BCC, BODY and the like."""
        return TextKey(_TEXTS[word], self._string("a search string"))

    def header(self, _: str) -> SearchKey:
        """HEADER."""
        name = self._string("the name of a header field")
        self._cursor.space()
        return HeaderKey(name, self._string("a search string"))

    def day(self, word: str) -> SearchKey:
        """BEFORE and the like."""
        field, relation = _DATES[word]
        return DateKey(field, relation, parse_date(self._cursor))

    def size(self, word: str) -> SearchKey:
        """LARGER and SMALLER."""
        return SizeKey(word == "LARGER", self._cursor.number("a size in octets", MAX_NUMBER64))

    def age(self, word: str) -> SearchKey:
        """OLDER and YOUNGER; an interval of nothing is none."""
        return AgeKey(word == "OLDER", self._cursor.number("a number of seconds", smallest=1))

    def gmail_number(self, word: str) -> SearchKey:
        """X-GM-MSGID and X-GM-THRID."""
        number = self._cursor.number("a number", MAX_NUMBER64)
        return GmailKey(GmailField(word), str(number))

    def gmail_text(self, _: str) -> SearchKey:
        """X-GM-RAW."""
        return GmailKey(GmailField.RAW, self._string("a query"))

    def gmail_label(self, _: str) -> SearchKey:
        """X-GM-LABELS."""
        return GmailKey(GmailField.LABELS, parse_label(self._cursor))

    def filter(self, _: str) -> SearchKey:
        """FILTER, which implies UTF-8."""
        if self._charset not in ("utf-8", "utf_8", "ascii"):
            raise self._cursor.error("FILTER goes with UTF-8", "BADCHARSET (US-ASCII UTF-8)")
        return FilterKey(self._cursor.match(_FILTER, "the name of a filter")[0].decode())

    def uid(self, _: str) -> SearchKey:
        """UID."""
        return SetKey(self._cursor.sequence(), True)

    def object_id(self, word: str) -> SearchKey:
        """EMAILID and THREADID."""
        return IdKey(IdField(word), self._cursor.match(_OBJECT_ID, "an object id")[0].decode())

    def beyond(self, word: str) -> SearchKey:
        """UIDAFTER and UIDBEFORE; without `*`, which never is beyond the last one."""
        uid = self._cursor.number("a UID", smallest=1)
        low, high = (uid + 1, MAX_NUMBER) if word == "UIDAFTER" else (1, uid - 1)
        return SetKey(SequenceSet(((low, high),)), True) if low <= high else NotKey(AllKey())

    def modseq(self, _: str) -> SearchKey:
        """MODSEQ, with the name and type of a flag's entry or without."""
        cursor = self._cursor
        entry = kind = None
        if cursor.peek() in (b'"', b"\n"):
            entry = self._string("the name of an entry")
            if not entry.startswith("/flags/"):
                raise cursor.error("the only entries known begin with /flags/")
            cursor.space()
            kind = cursor.word("a type: all, shared or priv").lower()
            if kind not in ("all", "shared", "priv"):
                raise cursor.error("expected one of the types all, shared and priv")
            cursor.space()
        return ModseqKey(cursor.number("a modseq", MAX_NUMBER64), entry, kind)


_Argument: TypeAlias = Callable[[_Keys, str], SearchKey]
_ARGUMENTS: Final[Mapping[str, _Argument]] = {
    **dict.fromkeys(_TEXTS, _Keys.text),
    **dict.fromkeys(_DATES, _Keys.day),
    **dict.fromkeys([field.value for field in IdField], _Keys.object_id),
    "FILTER": _Keys.filter,
    "HEADER": _Keys.header,
    "KEYWORD": _Keys.keyword,
    "LARGER": _Keys.size,
    "MODSEQ": _Keys.modseq,
    "OLDER": _Keys.age,
    "SMALLER": _Keys.size,
    "UID": _Keys.uid,
    "UIDAFTER": _Keys.beyond,
    "UIDBEFORE": _Keys.beyond,
    "UNKEYWORD": _Keys.keyword,
    "X-GM-LABELS": _Keys.gmail_label,
    "X-GM-MSGID": _Keys.gmail_number,
    "X-GM-RAW": _Keys.gmail_text,
    "X-GM-THRID": _Keys.gmail_number,
    "YOUNGER": _Keys.age,
}

PARSERS: Final[Mapping[str, Callable[[Cursor], Command]]] = {"SEARCH": parse_search}
