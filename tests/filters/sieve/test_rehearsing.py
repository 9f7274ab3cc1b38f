"""Dry runs: what a script would change of a message that is stored."""

import pytest

from filters.sieve.environment import Ask, Environment
from filters.sieve.mail import mail_of
from filters.sieve.rehearsing import Rehearsal, Standing, rehearse
from filters.sieve.script import compile_script

MESSAGE = b"From: a@example.com\r\nTo: me@example.org\r\nSubject: [news] x\r\n\r\nhello\r\n"
KNOWN = Environment(
    sender="a@example.com",
    recipient="me@example.org",
    mailboxes={"INBOX": frozenset(), "News": frozenset(), "Spam": frozenset({"\\Junk"})},
)
REQUIRE = 'require ["fileinto", "imap4flags", "copy", "mailbox", "special-use", "vacation"];\n'


def rehearsal(script: str, standing: Standing | None = None) -> Rehearsal:
    made = compile_script(REQUIRE + script)
    return rehearse(made, mail_of(MESSAGE), KNOWN, standing or Standing())


EFFECTS = (
    ("keep;", ()),
    ("", ()),
    ('fileinto "News";', ("move from INBOX to News",)),
    ('fileinto :copy "News";', ("copy to News",)),
    ('fileinto "News"; keep;', ("copy to News",)),
    ('fileinto "None";', ()),
    ('fileinto :create "None";', ("move from INBOX to None",)),
    ('fileinto :specialuse "\\\\Junk" "Junk";', ("move from INBOX to Spam",)),
    ('fileinto "News"; fileinto "Spam";', ("move from INBOX to News", "copy to Spam")),
    ('addflag "\\\\Flagged";', ("flag \\Flagged",)),
    ('keep :flags ["\\\\Seen", "work"];', ("flag work",)),
    ("discard;", ("delete",)),
    ('redirect "b@example.net";', ("keep no copy", "forward to b@example.net")),
    ('redirect :copy "b@example.net";', ("forward to b@example.net",)),
    ('vacation "away";', ("answer a@example.com",)),
    ('if header :contains "subject" "nothing" { discard; }', ()),
)


@pytest.mark.parametrize(("script", "effects"), EFFECTS)
def test_what_would_be_different(script: str, effects: tuple[str, ...]) -> None:
    found = rehearsal(script, Standing(flags=frozenset({"\\Seen"})))
    assert found.effects == effects
    assert found.changes == bool(effects)
    assert found.error == ""


def test_what_is_in_its_place_stays() -> None:
    assert not rehearsal('fileinto "News";', Standing("News")).changes


def test_what_no_rule_moves_stays_where_its_reader_put_it() -> None:
    assert not rehearsal("", Standing("Archive")).changes
    assert rehearsal("keep;", Standing("Archive")).effects == ("move from Archive to INBOX",)


def test_the_line_that_acts_is_named() -> None:
    found = rehearsal('if header :contains "subject" "news" {\n  fileinto "News";\n}')
    assert [place.line for place in found.places] == [3]


def test_refusals_and_edits() -> None:
    script = compile_script('require "reject"; reject "go\r\naway";')
    assert rehearse(script, mail_of(MESSAGE), KNOWN, Standing()).effects == ("refuse: go away",)
    script = compile_script('require "editheader"; addheader "X-A" "b";')
    assert rehearse(script, mail_of(MESSAGE), KNOWN, Standing()).effects == ("edit the message",)


def test_a_script_that_fails_changes_nothing() -> None:
    script = compile_script('require "ihave";\nerror "no";')
    found = rehearse(script, mail_of(MESSAGE), KNOWN, Standing())
    assert (found.error, found.changes) == ("line 2: no", False)


def test_questions_are_handed_on() -> None:
    script = compile_script('require "duplicate"; if duplicate :uniqueid "x" { discard; }')
    found = rehearse(script, mail_of(MESSAGE), KNOWN, Standing())
    assert [one.ask for one in found.asked] == [Ask.SEEN]
