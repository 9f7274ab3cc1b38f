"""Rules and the Sieve that they are kept as: both ways, whatever is in them; and what they do."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.rules import values
from filters.rules.reading import read_rules
from filters.rules.values import (
    Address,
    Archive,
    Attachment,
    BadRule,
    Compare,
    Contact,
    Correspondent,
    Delete,
    File,
    Forward,
    Header,
    MailingList,
    MarkRead,
    Match,
    NeverSpam,
    Rule,
    Size,
    Star,
    Tag,
    Text,
    Who,
    check,
)
from filters.rules.writing import HEAD, format_rules
from filters.sieve.actions import FileInto, Keep, Outcome, Redirect
from filters.sieve.environment import Ask, Environment, Question
from filters.sieve.lists import ADDRESS_BOOK, CORRESPONDENTS, URN
from filters.sieve.mail import mail_of
from filters.sieve.running import run
from filters.sieve.script import compile_script

_TEXTS = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=30
) | st.sampled_from(['"', "\\", "${hex:41}", "# rule: x", "*/ {", "text:", "a;b", "ß"])
_NAMES = _TEXTS.map(str.strip).filter(bool)
_PLAIN = st.sampled_from([Compare.CONTAINS, Compare.IS, Compare.MATCHES])
_WHO = st.sampled_from(Who)
_FLAG = st.booleans()
_FIELDS = st.sampled_from(["Subject", "X-Spam", "list-post"])
CONDITIONS: st.SearchStrategy[Any] = st.one_of(
    st.builds(Header, _FIELDS, _TEXTS, _PLAIN, _FLAG),
    st.builds(Address, _WHO, _TEXTS, st.sampled_from(Compare), _FLAG),
    st.builds(Contact, _WHO, st.just("") | _TEXTS.filter(lambda one: one != "default"), _FLAG),
    st.builds(Correspondent, _WHO, _FLAG),
    st.builds(Size, st.integers(0, 2**31 - 1), _FLAG),
    st.builds(Attachment, _FLAG),
    st.builds(MailingList, _TEXTS, _FLAG),
    st.builds(Text, _TEXTS, _FLAG),
)
ACTIONS: st.SearchStrategy[Any] = st.one_of(
    st.builds(Tag, st.sampled_from(["work", "$Label1", "a[b"])),
    st.sampled_from([Star(), MarkRead(), NeverSpam(), Archive(), Delete()]),
    st.builds(File, _TEXTS.filter(lambda one: one != "INBOX")),
    st.builds(Forward, st.sampled_from(["a@b.test", "ü@ä.test"]), _FLAG),
)
RULES = st.builds(
    Rule,
    _NAMES,
    st.lists(CONDITIONS, max_size=4).map(tuple),
    st.lists(ACTIONS, min_size=1, max_size=4).map(tuple),
    st.sampled_from(Match),
    _FLAG,
    _FLAG,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(RULES, max_size=4))
def test_what_is_written_is_what_is_read_and_compiles(rules: list[Rule]) -> None:
    for rule in rules:
        check(rule)
    text = format_rules(rules)
    assert read_rules(text.encode()) == tuple(rules)
    assert read_rules(text.replace("\r\n", "\n").encode()) == tuple(rules)
    compile_script(text)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 400), st.lists(RULES, min_size=1, max_size=2))
def test_any_octets_are_read_as_rules_only_where_nothing_is_lost(
    octets: bytes, at: int, rules: list[Rule]
) -> None:
    text = format_rules(rules).encode()
    for changed in (octets, text[:at] + octets + text[at:]):
        found = read_rules(changed)
        assert found is None or format_rules(found).encode() == changed.replace(
            b"\r\n", b"\n"
        ).replace(b"\n", b"\r\n")


RULE = Rule("Lists", (MailingList("python"),), (File("Lists"), Tag("py")))


def test_a_script_in_words() -> None:
    other = Rule(
        "Boss",
        (Address(Who.FROM, "boss@work.test", Compare.IS), Contact(Who.FROM, "Team", negated=True)),
        (Forward("me@home.test"), Star(), NeverSpam()),
        Match.ANY,
        enabled=False,
        stop=False,
    )
    assert format_rules([RULE, other]) == HEAD + "\r\n".join(
        (
            'require ["copy", "extlists", "fileinto", "imap4flags", "mailbox"];',
            "",
            "# rule: Lists",
            'if allof (header :contains "list-id" "python") {',
            '    addflag "py";',
            '    fileinto :create "Lists";',
            "    stop;",
            "}",
            "",
            "# rule: Boss",
            'if allof (false, anyof (address :is "from" "boss@work.test", BOOK)) {'.replace(
                "BOOK", 'not address :list "from" ":addrbook:Team"'
            ),
            '    addflag "\\\\Flagged";',
            '    addflag "$NotJunk";',
            '    fileinto "INBOX";',
            '    redirect :copy "me@home.test";',
            "}",
            "",
        )
    )
    assert format_rules([]) == HEAD and read_rules(HEAD.encode()) == ()


def test_a_change_by_hand_that_leaves_a_rule_is_one_and_others_make_an_own_script() -> None:
    text = format_rules([RULE]).encode()
    changed = read_rules(
        text.replace(b'"python"', b'"perl"').replace(b"# rule: Lists", b"# rule: P")
    )
    assert changed == (Rule("P", (MailingList("perl"),), (Tag("py"), File("Lists"))),)
    for hand in (
        text.replace(b"    stop;", b"    stop; # enough"),
        text.replace(b'"py"', b'["py", "thon"]'),
        text.replace(b"if allof", b"if  allof"),
        text.replace(b"# rule: Lists\r\n", b""),
        text + b"keep;\r\n",
        text + b"# mine\r\n",
        b"# mine\r\n" + text,
        text.replace(b":contains", b':comparator "i;octet" :contains'),
        text.replace(b"fileinto :create", b"fileinto"),
        text.replace(b'"mailbox"', b'"mailbox", "copy"'),
        text.replace(b"}", b"} else { keep; }"),
        b"keep;",
        b"if true {",
        b"",
        b"\xff",
    ):
        assert read_rules(hand) is None, hand


@pytest.mark.parametrize(
    "wrong",
    [
        Rule("", (), (Star(),)),
        Rule(" a", (), (Star(),)),
        Rule("a\nb", (), (Star(),)),
        Rule("a", (), (), stop=False),
        Rule("a", (Header("Sub ject", "x"),)),
        Rule("a", (Header("Subject", ""),)),
        Rule("a", (Header("Subject", "x\r\ny"),)),
        Rule("a", (Header("Subject", "x", Compare.DOMAIN),)),
        Rule("a", (Header("List-Id", "x"),)),
        Rule("a", (Text("x" * 1001),)),
        Rule("a", (Size(2**31),)),
        Rule("a", (Contact(Who.FROM, "\ud800"),)),
        Rule("a", (), (Tag("\\Seen"),)),
        Rule("a", (), (Tag("$notjunk"),)),
        Rule("a", (), (File(""),)),
        Rule("a", (), (Forward("nobody"),)),
        Rule("a", (), (Forward("a@b..test"),)),
        Rule("a", (), (Forward("a,b@c.test"),)),
        Rule("a", (), (Forward(".a@c.test"),)),
        Rule("a", (), (NeverSpam(), File("INBOX"))),
        Rule("a", (), tuple(Forward(f"{n}@b.test") for n in range(5))),
        Rule("a", (Attachment(),) * 51),
    ],
)
def test_what_is_no_rule(wrong: Rule) -> None:
    with pytest.raises(BadRule):
        check(wrong)


MAIL = (
    b"From: Ann <ann@world.test>\r\nTo: me@example.test\r\nSubject: Hello World\r\n"
    b"List-Id: <python-dev.python.org>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=x\r\n\r\n"
    b"--x\r\nContent-Type: text/plain\r\n\r\nsome text\r\n"
    b"--x\r\nContent-Type: image/png\r\nContent-Disposition: attachment\r\n\r\nx\r\n--x--\r\n"
)


def outcome(*rules: Rule) -> Outcome:
    """What a message becomes; Ann is in the group Team."""
    answers = {
        Question(Ask.LISTED, "ann@world.test"): frozenset(
            [ADDRESS_BOOK, CORRESPONDENTS, f"{URN}:addrbook:Team"]
        ),
        Question(Ask.LISTED, "me@example.test"): frozenset(),
    }
    found = run(compile_script(format_rules(rules)), mail_of(MAIL), Environment(answers=answers))
    assert not found.error and not found.asked, found
    return found


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        (Header("subject", "hello"), True),
        (Header("subject", "hello", Compare.IS), False),
        (Header("subject", "hello*", Compare.MATCHES), True),
        (Header("subject", "hello", negated=True), False),
        (Address(Who.FROM, "ann@"), True),
        (Address(Who.FROM, "Ann <"), False),
        (Address(Who.FROM, "world.test", Compare.DOMAIN), True),
        (Address(Who.RECIPIENT, "me@example.test", Compare.IS), True),
        (Address(Who.CC, "me@example.test"), False),
        (Contact(Who.FROM), True),
        (Contact(Who.FROM, "Team"), True),
        (Contact(Who.TO), False),
        (Correspondent(Who.FROM), True),
        (Correspondent(Who.FROM, negated=True), False),
        (Size(100), True),
        (Size(100, over=False), False),
        (Attachment(), True),
        (Attachment(negated=True), False),
        (MailingList("python-dev"), True),
        (Text("some text"), True),
        (Text("other"), False),
    ],
)
def test_conditions_hold(condition: values.Condition, holds: bool) -> None:
    (action,) = outcome(Rule("one", (condition,), (File("There"),))).actions
    assert isinstance(action, FileInto) is holds


def test_actions_are_done() -> None:
    found = outcome(
        Rule("one", (), (Forward("a@b.test"), File("There"), Star(), Tag("py")), stop=False),
        Rule("off", (), (File("Nowhere"),), enabled=False),
        Rule("two", (Header("subject", "x"), Text("text")), (NeverSpam(),), Match.ANY),
        Rule("late", (), (Delete(),)),
    )
    filed = [one for one in found.actions if isinstance(one, FileInto)]
    assert [(one.mailbox, one.flags, one.create) for one in filed] == [
        ("There", ("py", "\\Flagged"), True),
        ("INBOX", ("py", "\\Flagged", "$NotJunk"), False),
    ]
    (forwarded,) = [one for one in found.actions if isinstance(one, Redirect)]
    assert (forwarded.address, forwarded.copy) == ("a@b.test", True)
    (kept,) = outcome(Rule("one", (), (MarkRead(), Tag("a")))).actions
    assert isinstance(kept, Keep) and set(kept.flags) == {"\\Seen", "a"}
    (gone,) = outcome(Rule("one", (), (Delete(),))).actions
    assert isinstance(gone, FileInto) and (gone.special_use, gone.mailbox) == ("\\Trash", "Trash")
