"""What real clients send, what is let pass, and what the errors say."""

from datetime import date, datetime, timedelta, timezone

import pytest

from imap.grammar import (
    append_commands,
    command,
    mailbox_commands,
    message_commands,
    session_commands,
)
from imap.grammar.append import target_of
from imap.grammar.fetch_item import FetchAtom, FetchBody, Section, SectionKind
from imap.grammar.frame import AFTER_LOGIN, LiteralBegin, ParseError, Status
from imap.grammar.parse import parse
from imap.grammar.search_key import (
    AgeKey,
    AllKey,
    AndKey,
    DateField,
    DateKey,
    DateRelation,
    FlagKey,
    FuzzyKey,
    HeaderKey,
    ModseqKey,
    NotKey,
    OrKey,
    SearchReturn,
    SetKey,
    SizeKey,
    TextField,
    TextKey,
)
from imap.grammar.values import (
    DELETED,
    RECENT,
    SEEN,
    STAR,
    Flag,
    Literal,
    Partial,
    SequenceSet,
)
from tests.support.imap_commands import events, frame_of


def run(text: str | bytes) -> command.Command:
    octets = text.encode() if isinstance(text, str) else text
    return parse(frame_of(octets + b"\r\n"))


def fetched(text: str) -> message_commands.Fetch:
    command = run(text)
    assert isinstance(command, message_commands.Fetch)
    return command


def key_of(text: str) -> object:
    command = run(text)
    assert isinstance(command, message_commands.Search)
    return command.key


ALL = SequenceSet(((1, STAR),))
ONE = SequenceSet.of([1])


# Thunderbird.


def test_thunderbird_opens_a_folder() -> None:
    assert run('5 select "INBOX" (CONDSTORE)') == mailbox_commands.Select(
        "5", "INBOX", condstore=True
    )
    assert run("6 UID fetch 1:* (FLAGS)") == message_commands.Fetch(
        "6", True, ALL, (FetchAtom.FLAGS,)
    )
    command = fetched("7 UID fetch 1:* (FLAGS) (CHANGEDSINCE 4711)")
    assert command.changed_since == 4711


def test_thunderbird_headers_and_bodies() -> None:
    names = "From To Cc Bcc Subject Date Message-ID Priority X-Priority References Newsgroups"
    text = f"8 UID fetch 3:4,9 (UID RFC822.SIZE FLAGS BODY.PEEK[HEADER.FIELDS ({names})])"
    section = Section((), SectionKind.HEADER_FIELDS, tuple(names.split()))
    assert fetched(text).items == (
        FetchAtom.UID,
        FetchAtom.RFC822_SIZE,
        FetchAtom.FLAGS,
        FetchBody(section, True),
    )
    assert fetched("9 UID fetch 7 (UID BODY.PEEK[TEXT]<0.2048>)").items[1] == FetchBody(
        Section((), SectionKind.TEXT), True, Partial(0, 2048)
    )
    chunk = fetched("10 UID fetch 7 (UID RFC822.SIZE BODY[]<65536.65536>)").items[2]
    assert chunk == FetchBody(Section(), False, Partial(65536, 65536))


def test_thunderbird_lists_folders() -> None:
    assert run('4 list (subscribed) "" "*" return (special-use)') == mailbox_commands.List(
        "4",
        "",
        ("*",),
        frozenset({mailbox_commands.ListSelect.SUBSCRIBED}),
        frozenset({mailbox_commands.ListReturn.SPECIAL_USE}),
        (),
        True,
    )
    assert run('5 lsub "" "INBOX/%"') == mailbox_commands.Lsub("5", "", "INBOX/%")


def test_thunderbird_sends_a_raw_ampersand() -> None:
    assert run('5 create "R&D"') == mailbox_commands.Create("5", "R&D")
    assert run('5 create "R&D-2"') == mailbox_commands.Create("5", "R&D-2")
    assert run('5 create "R&-D"') == mailbox_commands.Create("5", "R&D")
    assert run('5 create "Entwürfe & Ähnliches"') == mailbox_commands.Create(
        "5", "Entwürfe & Ähnliches"
    )
    assert run('5 create "Entw&APw-rfe"') == mailbox_commands.Create("5", "Entwürfe")


def test_thunderbird_stores_and_moves() -> None:
    assert run("11 uid store 3,5 +Flags (\\SEEN $label1)") == message_commands.Store(
        "11", True, SequenceSet.of([3, 5]), message_commands.StoreMode.ADD, (SEEN, Flag("$label1"))
    )
    assert run('12 uid move 3 "Trash"') == message_commands.Move(
        "12", True, SequenceSet.of([3]), "Trash"
    )
    assert run("13 UID expunge 3") == message_commands.Expunge("13", True, SequenceSet.of([3]))
    assert run('14 ID ("name" "Thunderbird" "version" "140.0")') == session_commands.Id(
        "14", (("name", "Thunderbird"), ("version", "140.0"))
    )


# Others.


def test_outlook() -> None:
    assert run('x1 LOGIN "me@example.org" "pa\\"ss\\\\"') == session_commands.Login(
        "x1", "me@example.org", 'pa"ss\\'
    )
    assert fetched("x2 UID FETCH 1:* (UID FLAGS)").items == (FetchAtom.UID, FetchAtom.FLAGS)
    assert fetched("x3 UID FETCH 2 (BODY.PEEK[HEADER] UID)").items[0] == FetchBody(
        Section((), SectionKind.HEADER), True
    )
    assert run('x4 LSUB "" "*"') == mailbox_commands.Lsub("x4", "", "*")


def test_apple_mail_and_ios() -> None:
    assert fetched("a UID FETCH 1:* (FLAGS) (CHANGEDSINCE 0)").changed_since == 0
    assert run(
        'b STATUS "Sent Messages" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN)'
    ) == mailbox_commands.Status(
        "b",
        "Sent Messages",
        (
            mailbox_commands.StatusItem.MESSAGES,
            mailbox_commands.StatusItem.UIDNEXT,
            mailbox_commands.StatusItem.UIDVALIDITY,
            mailbox_commands.StatusItem.UNSEEN,
        ),
    )
    items = fetched("c FETCH 1:3 (INTERNALDATE UID RFC822.SIZE FLAGS BODY.PEEK[1.2.MIME])").items
    assert items[-1] == FetchBody(Section((1, 2), SectionKind.MIME), True)
    assert run("d UID SEARCH RETURN (ALL) 1:* NOT DELETED") == message_commands.Search(
        "d",
        True,
        AndKey((SetKey(ALL), NotKey(FlagKey(DELETED)))),
        frozenset({SearchReturn.ALL}),
    )


def test_mbsync_and_imaplib() -> None:
    assert run(
        "1 UID FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (X-TUID)])"
    ) == message_commands.Fetch(
        "1",
        True,
        ALL,
        (
            FetchAtom.UID,
            FetchAtom.FLAGS,
            FetchBody(Section((), SectionKind.HEADER_FIELDS, ("X-TUID",)), True),
        ),
    )
    command = run(b'2 APPEND "INBOX" (\\Seen) " 1-Feb-2024 00:00:00 +0100" {3+}\r\nabc')
    zone = timezone(timedelta(hours=1))
    message = append_commands.AppendMessage(
        Literal.of(b"abc"), (SEEN,), datetime(2024, 2, 1, tzinfo=zone)
    )
    assert command == append_commands.Append("2", "INBOX", (message,))
    assert run("AAAA1 FETCH 1 (RFC822)") == message_commands.Fetch(
        "AAAA1", False, ONE, (FetchAtom.RFC822,)
    )
    assert run("AAAA2 SEARCH ALL") == message_commands.Search("AAAA2", False, AllKey())
    assert run("AAAA3 AUTHENTICATE PLAIN") == session_commands.Authenticate("AAAA3", "PLAIN")


@pytest.mark.parametrize(
    ("odd", "plain"),
    [
        ("a NOOP ", "a NOOP"),
        ("a  noop", "a NOOP"),
        ("a  uid   fetch  1  ( FLAGS  UID ) ", "a UID FETCH 1 (FLAGS UID)"),
        ("a fetch 1 body[header.fields ( From  To )]", "a FETCH 1 BODY[HEADER.FIELDS (From To)]"),
        ("a store 1 flags \\seen  $x ", "a STORE 1 FLAGS (\\Seen $x)"),
        ("a select inbox", "a SELECT INBOX"),
        ("a list  ()  ''  (%  x)", "a LIST () '' (% x)"),
        ("a login NIL x]y", 'a LOGIN "NIL" "x]y"'),
        ("a search since 1-feb-1994", 'a SEARCH SINCE "01-Feb-1994"'),
        ("a search 5:2", "a SEARCH 2:5"),
        ("a fetch *:3 fast", "a FETCH 3:* (FLAGS INTERNALDATE RFC822.SIZE)"),
        ("a fetch 1 rfc822.peek", "a FETCH 1 (RFC822.PEEK)"),
    ],
)
def test_odd_forms_mean_the_plain_one(odd: str, plain: str) -> None:
    assert run(odd) == run(plain)


def test_search_keys() -> None:
    assert key_of('a SEARCH CHARSET UTF-8 SUBJECT "Grüße"') == TextKey(TextField.SUBJECT, "Grüße")
    latin = b'a SEARCH CHARSET ISO-8859-1 SUBJECT "Gr\xfc\xdfe"'
    assert run(latin) == message_commands.Search("a", False, TextKey(TextField.SUBJECT, "Grüße"))
    assert key_of("a SEARCH OR (SEEN NEW) NOT UNKEYWORD $x") == OrKey(
        AndKey((FlagKey(SEEN), AndKey((FlagKey(RECENT), FlagKey(SEEN, False))))),
        NotKey(FlagKey(Flag("$x"), False)),
    )
    assert key_of('a SEARCH HEADER Message-ID ""') == HeaderKey("Message-ID", "")
    assert key_of("a SEARCH SENTBEFORE 2-Mar-2020") == DateKey(
        DateField.SENT, DateRelation.BEFORE, date(2020, 3, 2)
    )
    assert key_of("a SEARCH UID 4:* SMALLER 10") == AndKey(
        (SetKey(SequenceSet(((4, STAR),)), True), SizeKey(False, 10))
    )
    assert key_of('a SEARCH MODSEQ "/flags/\\\\draft" all 620162338') == ModseqKey(
        620162338, "/flags/\\draft", "all"
    )
    assert key_of("a SEARCH FUZZY SUBJECT helo YOUNGER 3600") == AndKey(
        (FuzzyKey(TextKey(TextField.SUBJECT, "helo")), AgeKey(False, 3600))
    )


def test_the_mailbox_of_an_append_is_known_before_its_messages() -> None:
    named = [
        target_of(event)
        for event in events(
            b'a APPEND Sent (\\Seen) {2+}\r\nhi "01-Jan-2024 00:00:00 +0000" ~{1+}\r\nx\r\n'
            b"b UID REPLACE 7 &AOk- {1+}\r\nx\r\n",
            AFTER_LOGIN,
        )
        if isinstance(event, LiteralBegin)
    ]
    assert named == ["Sent", "Sent", "é"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a XYZZY", "unknown command XYZZY"),
        ("a UID NOOP", "unknown command UID NOOP"),
        (
            "a NOOP x",
            "NOOP: expected the end of the command at octet 2 of the arguments, found 'x'",
        ),
        ("a SELECT", "SELECT: expected a space at the end"),
        ("a SELECT ", "SELECT: expected a mailbox name at the end"),
        ("a SELECT x (FOO)", "SELECT: the parameters known are CONDSTORE and QRESYNC"),
        ("a SELECT x (QRESYNC (1))", "SELECT: expected a space"),
        ("a SELECT x (QRESYNC (1 0))", "SELECT: expected a modseq between 1 and"),
        ("a SELECT x (QRESYNC (1 2 1:*))", "SELECT: * is not allowed among known UIDs"),
        ("a SELECT x (QRESYNC (1 2 (1:2 3)))", "SELECT: as many UIDs as sequence numbers"),
        ("a SELECT x (QRESYNC (1 2 (2,1 3,4)))", "SELECT: known sequence numbers and UIDs must"),
        ("a SELECT x (QRESYNC (1 2) QRESYNC (1 2))", "each once"),
        ("a FETCH 1 FLAGS (CHANGEDSINCE 1 VANISHED)", "FETCH: VANISHED needs UID FETCH with"),
        ("a UID FETCH 1 FLAGS (VANISHED)", "UID FETCH: VANISHED needs UID FETCH with CHANGEDSINCE"),
        ("a FETCH 1 FLAGS (PARTIAL 1:2 PARTIAL 3:4)", "FETCH: PARTIAL was given before"),
        ("a FETCH 1 FLAGS (PARTIAL 1:-2)", "FETCH: expected a range such as 1:50 or -1:-50"),
        ("a FETCH 1 FLAGS (PARTIAL 0:2)", "FETCH: expected a range of numbers from 1"),
        ('a SEARCH MODSEQ "/x" all 1', "SEARCH: the only entries known begin with /flags/"),
        (
            "a FETCH 0 FLAGS",
            "FETCH: expected a set of numbers from 1 to 4294967295 such as 1:4,7 at octet 2",
        ),
        (
            "a UID FETCH 1 (FLAGS XYZZY)",
            "such as FLAGS or BODY.PEEK[] at octet 11 of the arguments, found 'XYZZY)'",
        ),
        ("a FETCH 1 BODY[1.0]", "FETCH: numbers of parts begin at 1"),
        ("a FETCH 1 BODY[MIME]", "FETCH: MIME needs the number of a part before it"),
        ("a FETCH 1 BODY[FOO]", "FETCH: unknown section FOO"),
        ("a FETCH 1 BODY[]<0.0>", "size of a partial between 1 and"),
        ("a FETCH 1 BODY[", "expected a section such as HEADER, TEXT or 1.2 at the end"),
        ("a STORE 1 FLAG \\Seen", "STORE: expected FLAGS, +FLAGS or -FLAGS, with .SILENT or"),
        ("a STORE 1 +FLAGS (\\Seen", "STORE: expected a list of flags in parentheses"),
        ("a STORE 1 +FLAGS (a]b)", "STORE: expected a list of flags in parentheses"),
        ("a SEARCH XYZZY", "SEARCH: expected a search key such as UNSEEN at octet 2"),
        ("a SEARCH SINCE 30-Feb-2020", "SEARCH: expected a date such as 1-Feb-1994 at octet 8"),
        ("a SEARCH OLDER 0", "SEARCH: expected a number of seconds between 1 and"),
        ("a SEARCH FUZZY", "SEARCH: expected a space at the end"),
        ("a SEARCH (SEEN", "SEARCH: expected a search key such as UNSEEN at the end"),
        ("a LIST (RECURSIVEMATCH) x %", "LIST: RECURSIVEMATCH needs another selection option"),
        ("a STATUS x ()", "STATUS: expected an item of STATUS such as MESSAGES"),
        ("a STATUS x (FOO)", "STATUS: unknown item of STATUS FOO"),
        ("a APPEND x", "APPEND: expected a space at the end"),
        ("a APPEND x (\\Seen) hello", "APPEND: expected a message as a literal at octet 12"),
        ("a AUTHENTICATE PLAIN !!", "AUTHENTICATE: expected an initial response in base64"),
        ("a UID EXPUNGE", "UID EXPUNGE: expected a space at the end"),
    ],
)
def test_errors_say_what_was_expected_and_where(text: str, error: str) -> None:
    with pytest.raises(ParseError) as caught:
        run(text)
    assert caught.value.tag == "a"
    assert error in caught.value.text
    assert caught.value.rejected.status is Status.BAD


def test_errors_of_login_show_no_password() -> None:
    for text in ("a LOGIN me (secret", 'a LOGIN me "secret', "a LOGIN me sec secret"):
        with pytest.raises(ParseError) as caught:
            run(text)
        assert "sec" not in caught.value.text
    assert "hush" not in repr(run("a LOGIN me hush"))


def test_unknown_charset_is_a_no() -> None:
    for name in ("X-UNKNOWN", "base64", "zip", "rot13", "undefined.evil", "undefined"):
        with pytest.raises(ParseError) as caught:
            run(f"a SEARCH CHARSET {name} ALL")
        assert caught.value.rejected.status is Status.NO
        assert caught.value.rejected.code == "BADCHARSET (US-ASCII UTF-8)"


def test_nesting_and_items_are_bounded() -> None:
    deep = "a SEARCH " + "(" * 50 + "SEEN" + ")" * 50
    assert run(deep) == run("a SEARCH SEEN")
    for text in (
        "a SEARCH " + "(" * 51 + "SEEN" + ")" * 51,
        "a SEARCH " + "NOT " * 51 + "SEEN",
        "a SEARCH " + "OR SEEN " * 51 + "SEEN",
        "a SEARCH " + "(" * 30_000,
    ):
        with pytest.raises(ParseError, match="nested more than 50 deep"):
            run(text)
    assert len(fetched(f"a FETCH 1 ({'UID ' * 1000})").items) == 1000
    with pytest.raises(ParseError, match="more than 1000 items"):
        run(f"a FETCH 1 ({'UID ' * 1001})")


@pytest.mark.parametrize("text", ["0", "1:0", "4294967296", "1:4294967296", "1:", "1,,2", "1:2:3"])
def test_what_is_no_set(text: str) -> None:
    with pytest.raises(ParseError, match="FETCH: expected a set of"):
        run(f"a FETCH {text} FLAGS")
    assert fetched("a FETCH 4294967295 FLAGS").sequence.largest == 4294967295


def test_short_forms_of_options() -> None:
    assert run("a SEARCH RETURN () ALL") == run("a SEARCH RETURN (ALL) ALL")
    assert run("a LIST x (%)") == mailbox_commands.List("a", "x", ("%",), extended=True)
    assert run("a LIST () x %") == mailbox_commands.List("a", "x", ("%",), extended=True)
    assert run("a LIST x %") == mailbox_commands.List("a", "x", ("%",))


def test_a_set_may_fill_the_line() -> None:
    numbers = range(1, 20_000, 2)
    command = fetched(f"a FETCH {','.join(map(str, numbers))} FLAGS")
    assert command.sequence == SequenceSet.of(numbers)


@pytest.mark.parametrize(
    "text", [b"a LOGIN ~{1+}\r\nx y", b"a SELECT ~{1+}\r\nx", b"a STORE 1 FLAGS {1+}\r\nx"]
)
def test_literals_where_none_belongs(text: bytes) -> None:
    with pytest.raises(ParseError, match="expected"):
        run(text)


def test_names_in_utf8_mode_are_not_decoded() -> None:
    frame = frame_of(b'a CREATE "R&-D"\r\n')
    assert parse(frame, utf8=True) == mailbox_commands.Create("a", "R&-D")
    with pytest.raises(ParseError, match="in modified UTF-7 or UTF-8"):
        parse(frame_of(b'a CREATE "\xff"\r\n'))
