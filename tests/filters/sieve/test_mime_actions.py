"""replace and enclose (RFC 5703 §5, §6): the message as it is filed."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

from filters.sieve.actions import FileInto, Keep
from filters.sieve.environment import Environment
from filters.sieve.mail import mail_of
from filters.sieve.running import run
from filters.sieve.script import compile_script

MESSAGE = b"""\
From: a@example.com
To: b@example.org
Subject: hello
X-Id: 7
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="b"

--b
Content-Type: text/plain

fine
--b
Content-Type: application/x-msdownload; name="virus.exe"

MZ
--b
Content-Type: text/html

<p>last</p>
--b--
""".replace(b"\n", b"\r\n")


def filed(script: str) -> EmailMessage:
    """The message of the last action."""
    outcome = run(compile_script(script), mail_of(MESSAGE), Environment())
    assert outcome.error == ""
    action = outcome.actions[-1]
    assert isinstance(action, (Keep, FileInto))
    made = message_from_bytes(outcome.message(MESSAGE, action.version), policy=default)
    assert isinstance(made, EmailMessage)
    assert not made.defects
    return made


def parts(message: EmailMessage) -> list[str]:
    return [part.get_content_type() for part in message.iter_parts()]


def test_a_part_is_replaced() -> None:
    message = filed(
        'require ["foreverypart", "mime", "replace"]; foreverypart {'
        ' if header :mime :param "name" :matches "content-type" "*.exe"'
        ' { replace "Grüße: this was a program"; } }'
    )
    assert parts(message) == ["text/plain", "text/plain", "text/html"]
    assert [part.get_content().strip() for part in message.iter_parts()] == [
        "fine",
        "Grüße: this was a program",
        "<p>last</p>",
    ]
    assert message["X-Id"] == "7"


def test_a_part_is_replaced_by_an_entity_and_the_header_edited() -> None:
    message = filed(
        'require ["foreverypart", "mime", "replace", "editheader"]; addheader "X-New" "y";'
        ' foreverypart { if header :mime :subtype "content-type" "html"'
        ' { replace :mime "Content-Type: text/x-note\r\n\r\ngone"; } }'
    )
    assert parts(message) == ["text/plain", "application/x-msdownload", "text/x-note"]
    assert message["X-New"] == "y"


def test_the_whole_message_is_replaced() -> None:
    message = filed(
        'require ["replace", "editheader"]; replace :subject "other" :from "c@example.net" "short";'
        ' deleteheader "x-id";'
    )
    assert message.get_content_type() == "text/plain"
    assert message.get_content().strip() == "short"
    assert (message["Subject"], message["Original-Subject"]) == ("other", "hello")
    assert (message["From"], message["Original-From"]) == ("c@example.net", "a@example.com")
    assert message["X-Id"] is None


def test_the_message_is_enclosed() -> None:
    message = filed(
        'require "enclose"; enclose :subject "[spam] hello" :headers ["X-Id"] "Careful: spam";'
    )
    text, other = message.iter_parts()
    assert isinstance(text, EmailMessage)
    assert isinstance(other, EmailMessage)
    assert text.get_content().strip() == "Careful: spam"
    inner = other.get_content()
    assert (message["Subject"], inner["Subject"]) == ("[spam] hello", "hello")
    assert message["X-Id"] == "7"
    assert [part.get_content_type() for part in inner.iter_parts()][1] == "application/x-msdownload"


def test_what_was_filed_before_stays() -> None:
    script = 'require ["enclose", "fileinto", "copy"]; fileinto :copy "x"; enclose "y";'
    outcome = run(compile_script(script), mail_of(MESSAGE), Environment())
    before, after = outcome.actions
    assert isinstance(before, FileInto)
    assert isinstance(after, Keep)
    assert outcome.message(MESSAGE, before.version) == MESSAGE
    assert outcome.message(MESSAGE, after.version) != MESSAGE
