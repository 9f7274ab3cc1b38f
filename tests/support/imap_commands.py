"""Hypothesis strategies for every IMAP command, and a reader of the frames in some bytes."""

from datetime import date, datetime, timedelta, timezone

from hypothesis import strategies as st

from imap.grammar import (
    append_commands,
    command,
    mailbox_commands,
    message_commands,
    session_commands,
)
from imap.grammar.acl import DeleteAcl, GetAcl, ListRights, MyRights, SetAcl
from imap.grammar.fetch_item import (
    FetchAtom,
    FetchBinary,
    FetchBinarySize,
    FetchBody,
    FetchItem,
    FetchPreview,
    Section,
    SectionKind,
)
from imap.grammar.frame import Event, Frame, Limits
from imap.grammar.framer import Framer
from imap.grammar.gmail import StoreLabels
from imap.grammar.mailbox import SPECIAL_USE
from imap.grammar.metadata import GetMetadata, SetMetadata
from imap.grammar.notify_group import NotifyEvent, NotifyGroup, NotifyScope
from imap.grammar.quota import GetQuota, GetQuotaRoot, SetQuota
from imap.grammar.resync import Resync, SequenceMatch
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
    SetKey,
    SizeKey,
    TextField,
    TextKey,
)
from imap.grammar.values import (
    SAVED,
    STAR,
    SYSTEM_FLAGS,
    Flag,
    Literal,
    Partial,
    SequenceSet,
    canonical_mailbox,
)
from imap.grammar.window import Window
from tests.support.imap_searches import search_strategies

IN_MEMORY = Limits(append=None)

_ATOM_CHARS = "!#$&'+,-./0123456789:;<=>?@ABCXYZ[^_`abcxyz|}~"
numbers = st.integers(1, (1 << 32) - 1)
modseqs = st.integers(0, (1 << 63) - 1)
tags = st.text("ABCxyz0189.-_]", min_size=1, max_size=12)
atoms = st.text(_ATOM_CHARS, min_size=1, max_size=12)
words = st.from_regex(r"[A-Z][A-Z0-9=+.-]{0,12}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
names = st.one_of(
    st.sampled_from(["INBOX", "Sent", "a&b", "R&D-x", "NIL", "50%", "Entw\u00fcrfe", "\U0001f600"]),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
).map(canonical_mailbox)
keywords = atoms.map(Flag)
flags = st.one_of(st.sampled_from(SYSTEM_FLAGS), keywords)
flag_lists = st.lists(flags, max_size=4).map(tuple)
ends = st.one_of(numbers, st.just(STAR))
_ranges = st.lists(
    st.tuples(ends, ends).map(lambda pair: (min(pair), max(pair))), min_size=1, max_size=5
)
sets = st.one_of(_ranges.map(lambda ranges: SequenceSet(tuple(ranges))), st.just(SAVED))
zones = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1, 1, 2), timezones=zones).map(lambda at: at.replace(microsecond=0))
days = st.dates(date(1, 1, 1))
initials = st.one_of(st.none(), st.binary(max_size=30))

_fields = st.lists(st.one_of(st.sampled_from(["From", "To"]), atoms), min_size=1, max_size=5).map(
    tuple
)
_parts = st.lists(numbers, max_size=4).map(tuple)


def _sections() -> st.SearchStrategy[Section]:
    plain = [SectionKind.HEADER, SectionKind.TEXT, None]
    fields = [SectionKind.HEADER_FIELDS, SectionKind.HEADER_FIELDS_NOT]
    return st.one_of(
        st.builds(Section, _parts, st.sampled_from(plain)),
        st.builds(Section, _parts.filter(bool), st.just(SectionKind.MIME)),
        st.builds(Section, _parts, st.sampled_from(fields), _fields),
    )


_partials = st.builds(Partial, modseqs, st.integers(1, (1 << 63) - 1))
items: st.SearchStrategy[FetchItem] = st.one_of(
    st.sampled_from(FetchAtom),
    st.builds(FetchBody, _sections(), st.booleans(), st.one_of(st.none(), _partials)),
    st.builds(FetchBinary, _parts, st.booleans(), st.one_of(st.none(), _partials)),
    st.builds(FetchBinarySize, _parts),
    st.builds(FetchPreview, st.booleans()),
)
_item_lists = st.lists(items, min_size=1, max_size=5).map(tuple)

_labels = st.one_of(names, st.sampled_from(["\\Inbox", "\\Sent", "\\Starred"]))
_leaves: st.SearchStrategy[SearchKey] = st.one_of(
    st.builds(AllKey),
    st.builds(GmailKey, st.just(GmailField.RAW), texts),
    st.builds(GmailKey, st.sampled_from([GmailField.MSGID, GmailField.THRID]), modseqs.map(str)),
    st.builds(GmailKey, st.just(GmailField.LABELS), _labels),
    st.builds(FilterKey, st.text("abcxyzABC-.=]$".replace("]", ""), min_size=1, max_size=8)),
    st.builds(FlagKey, flags, st.booleans()),
    st.builds(TextKey, st.sampled_from(TextField), texts),
    st.builds(HeaderKey, texts, texts),
    st.builds(DateKey, st.sampled_from(DateField), st.sampled_from(DateRelation), days),
    st.builds(SizeKey, st.booleans(), modseqs),
    st.builds(SetKey, sets, st.booleans()),
    st.builds(AgeKey, st.booleans(), numbers),
    st.builds(
        IdKey, st.sampled_from(IdField), st.from_regex(r"[A-Za-z0-9_-]{1,20}", fullmatch=True)
    ),
    st.builds(ModseqKey, modseqs),
    st.builds(
        ModseqKey, modseqs, st.just("/flags/\\draft"), st.sampled_from(["all", "shared", "priv"])
    ),
)
keys: st.SearchStrategy[SearchKey] = st.recursive(
    _leaves,
    lambda inner: st.one_of(
        st.builds(NotKey, inner),
        st.builds(FuzzyKey, inner),
        st.builds(OrKey, inner, inner),
        st.lists(inner, min_size=2, max_size=3).map(lambda some: AndKey(tuple(some))),
    ),
    max_leaves=8,
)

_plain = st.binary(max_size=50).map(lambda octets: Literal.of(octets.replace(b"\0", b"0")))
_binary = st.binary(max_size=50).map(lambda octets: Literal.of(octets, True))
_catenated = st.lists(
    st.one_of(
        st.builds(append_commands.CatenateText, st.one_of(_plain, _binary)),
        st.builds(append_commands.CatenateText, _binary, st.just(True)),
        st.builds(append_commands.CatenateUrl, texts),
    ),
    min_size=1,
    max_size=4,
).map(lambda parts: append_commands.Catenate(tuple(parts)))
_dates = st.one_of(st.none(), moments)
_messages = st.one_of(
    st.builds(
        append_commands.AppendMessage, st.one_of(_plain, _binary, _catenated), flag_lists, _dates
    ),
    st.builds(append_commands.AppendMessage, _binary, flag_lists, _dates, st.just(True)),
)
_singles = st.one_of(numbers, st.just(STAR)).map(lambda one: SequenceSet(((one, one),)))
_status = st.lists(st.sampled_from(mailbox_commands.StatusItem), min_size=1, unique=True).map(tuple)
_pairs = st.lists(st.tuples(texts, st.one_of(st.none(), texts)), max_size=3).map(tuple)
_selections = st.sets(st.sampled_from(mailbox_commands.ListSelect)).map(
    lambda some: frozenset(some | {mailbox_commands.ListSelect.SUBSCRIBED})
)
_entry = st.builds(
    lambda scope, rest: f"/{scope}/" + "/".join(rest),
    st.sampled_from(("private", "shared")),
    st.lists(st.text('abcxyz-.09 "\\(', min_size=1, max_size=5), min_size=1, max_size=3),
)
_entries = st.lists(_entry, min_size=1, max_size=3, unique=True).map(tuple)
_lists = st.one_of(
    st.builds(mailbox_commands.List, tags, names, st.tuples(names)),
    st.builds(
        mailbox_commands.List,
        tags,
        names,
        st.lists(names, min_size=1, max_size=3).map(tuple),
        st.one_of(st.just(frozenset[mailbox_commands.ListSelect]()), _selections),
        st.frozensets(st.sampled_from(mailbox_commands.ListReturn)),
        st.one_of(st.just(()), _status),
        st.just(True),
        st.one_of(st.just(()), _entries),
    ),
)
_uses = st.lists(st.one_of(st.sampled_from(SPECIAL_USE), atoms.map("\\X".__add__)), max_size=3).map(
    tuple
)
_optional_modseqs = st.one_of(st.none(), modseqs)
_some_windows = st.one_of(
    st.builds(Window, numbers, numbers),
    st.builds(Window, numbers.map(int.__neg__), numbers.map(int.__neg__)),
)
_windows = st.one_of(st.none(), _some_windows)
_known = st.sets(numbers, min_size=1, max_size=5).map(lambda some: SequenceSet.of(sorted(some)))
_fetches = st.one_of(
    st.builds(
        message_commands.Fetch,
        tags,
        st.booleans(),
        sets,
        _item_lists,
        _optional_modseqs,
        st.just(False),
        _windows,
    ),
    st.builds(
        message_commands.Fetch,
        tags,
        st.just(True),
        sets,
        _item_lists,
        modseqs,
        st.booleans(),
        _windows,
    ),
)
_resyncs = st.builds(
    Resync,
    numbers,
    st.integers(1, (1 << 63) - 1),
    st.one_of(st.none(), sets.filter(lambda some: not some.has_star)),
    st.one_of(st.none(), _known.map(lambda some: SequenceMatch(some, some))),
)
_BARE: tuple[type[command.Command], ...] = (
    session_commands.Capability,
    message_commands.Check,
    message_commands.Close,
    message_commands.Idle,
    session_commands.Logout,
    mailbox_commands.Namespace,
    session_commands.Noop,
    session_commands.StartTls,
    session_commands.GetJmapAccess,
    session_commands.Unauthenticate,
    message_commands.Unselect,
)
_message_events = (NotifyEvent.MESSAGE_NEW, NotifyEvent.MESSAGE_EXPUNGE)
_other_events = st.lists(
    st.sampled_from([event for event in NotifyEvent if event not in _message_events]), unique=True
).map(lambda some: (*_message_events, *some))
_unknown_events = st.sampled_from([(), ("MessageRead",), ("x", "y-z")])
_notify_groups = st.one_of(
    st.builds(NotifyGroup, st.sampled_from([NotifyScope.INBOXES, NotifyScope.SUBSCRIBED])),
    st.builds(
        NotifyGroup,
        st.sampled_from([NotifyScope.SUBTREE, NotifyScope.MAILBOXES]),
        st.lists(names, min_size=1, max_size=3).map(tuple),
        _other_events,
        st.just(()),
        _unknown_events,
    ),
)
_selected_groups = st.builds(
    NotifyGroup,
    st.sampled_from([NotifyScope.SELECTED, NotifyScope.SELECTED_DELAYED]),
    st.just(()),
    st.sampled_from([_message_events, (*_message_events, NotifyEvent.FLAG_CHANGE)]),
    st.one_of(st.just(()), _item_lists),
)
BY_NAME: dict[str, st.SearchStrategy[command.Command]] = {
    **{kind.__name__.lower(): st.builds(kind, tags) for kind in _BARE},
    "append": st.builds(
        append_commands.Append, tags, names, st.lists(_messages, min_size=1, max_size=3).map(tuple)
    ),
    "authenticate": st.builds(session_commands.Authenticate, tags, words, initials),
    "compress": st.builds(session_commands.Compress, tags, words),
    "copy": st.builds(message_commands.Copy, tags, st.booleans(), sets, names),
    "create": st.builds(mailbox_commands.Create, tags, names, _uses),
    "delete": st.builds(mailbox_commands.Delete, tags, names),
    "deleteacl": st.builds(DeleteAcl, tags, names, texts),
    "enable": st.builds(
        session_commands.Enable, tags, st.lists(words, min_size=1, max_size=3).map(tuple)
    ),
    "expunge": st.one_of(
        st.builds(message_commands.Expunge, tags),
        st.builds(message_commands.Expunge, tags, st.just(True), sets),
    ),
    "fetch": _fetches,
    "getacl": st.builds(GetAcl, tags, names),
    "getmetadata": st.builds(
        GetMetadata,
        tags,
        names,
        _entries,
        st.one_of(st.none(), numbers),
        st.sampled_from((0, 1, None)),
    ),
    "getquota": st.builds(GetQuota, tags, texts),
    "getquotaroot": st.builds(GetQuotaRoot, tags, names),
    "id": st.builds(session_commands.Id, tags, st.one_of(st.none(), _pairs)),
    "list": _lists,
    "listrights": st.builds(ListRights, tags, names, texts),
    "login": st.builds(session_commands.Login, tags, texts, texts),
    "lsub": st.builds(mailbox_commands.Lsub, tags, names, names),
    "move": st.builds(message_commands.Move, tags, st.booleans(), sets, names),
    "myrights": st.builds(MyRights, tags, names),
    "notify": st.one_of(
        st.builds(message_commands.Notify, tags),
        st.builds(
            message_commands.Notify,
            tags,
            st.tuples(
                st.lists(_notify_groups, max_size=3).map(tuple), st.tuples(_selected_groups)
            ).map(lambda pair: pair[0] + pair[1]),
            st.booleans(),
        ),
    ),
    "rename": st.builds(mailbox_commands.Rename, tags, names, names),
    "replace": st.builds(append_commands.Replace, tags, st.booleans(), _singles, names, _messages),
    **search_strategies(tags, names, keys, _some_windows),
    "select": st.builds(
        mailbox_commands.Select,
        tags,
        names,
        st.booleans(),
        st.booleans(),
        st.one_of(st.none(), _resyncs),
    ),
    "status": st.builds(mailbox_commands.Status, tags, names, _status),
    "setacl": st.one_of(
        st.builds(SetAcl, tags, names, texts, st.sampled_from("+-"), texts),
        st.builds(SetAcl, tags, names, texts, st.just(""), st.text("lrswipkxteacd", max_size=13)),
    ),
    "setmetadata": st.builds(
        SetMetadata,
        tags,
        names,
        st.dictionaries(
            _entry, st.one_of(st.none(), st.binary(max_size=20)), min_size=1, max_size=3
        ).map(lambda values: tuple(values.items())),
    ),
    "setquota": st.builds(
        SetQuota,
        tags,
        texts,
        st.lists(st.tuples(words, modseqs), max_size=3, unique_by=lambda pair: pair[0]).map(tuple),
    ),
    "store": st.builds(
        message_commands.Store,
        tags,
        st.booleans(),
        sets,
        st.sampled_from(message_commands.StoreMode),
        flag_lists,
        st.booleans(),
        _optional_modseqs,
    ),
    "storelabels": st.builds(
        StoreLabels,
        tags,
        st.booleans(),
        sets,
        st.sampled_from(["", "+", "-"]),
        st.lists(_labels, max_size=3, unique=True).map(tuple),
        st.booleans(),
    ),
    "subscribe": st.builds(mailbox_commands.Subscribe, tags, names),
    "xlist": st.builds(mailbox_commands.Xlist, tags, names, names),
    "unsubscribe": st.builds(mailbox_commands.Unsubscribe, tags, names),
}
commands = st.one_of(*BY_NAME.values())


def events(data: bytes, limits: Limits = IN_MEMORY) -> list[Event]:
    """What a framer gives for the bytes, taken as one piece."""
    return list(Framer(limits).feed(data))


def frame_of(data: bytes) -> Frame:
    """The only frame of the bytes."""
    (event,) = events(data)
    assert isinstance(event, Frame), event
    return event
