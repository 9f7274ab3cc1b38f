"""What the fuzzer mutates: lines and streams of SMTP and IMAP, from four sources.

Written here: what no transcript has. Recorded: the `C:` lines of every transcript of
tests/dialogues, so that each command has its seeds. Made: commands from the strategies of
imap_commands.py. `{account}`, `{password}` and `{other}` are filled in; `{other}` is an account
that is not the fuzzer's own, and must stay as it is.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hypothesis import HealthCheck, given, seed, settings

from imap.grammar.encode_command import encode_command
from tests.support.dialogue import Step, octets_of, steps
from tests.support.imap_commands import commands

_DIALOGUES = Path(__file__).parents[1] / "dialogues"
_NAME = re.compile(r"\$\{(\w+)\}")
_TAG = re.compile(rb"\A\S+ ")

SMTP_LINES: Sequence[bytes] = (
    b"EHLO client.test",
    b"HELO client.test",
    b"MAIL FROM:<a@b.test>",
    b"MAIL FROM:<> SIZE=100 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb",
    b"MAIL FROM:<@a.test,@b.test:c@d.test>",
    b'RCPT TO:<"quo\\"ted"@example.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a@b.test',
    b"RCPT TO:<{account}>",
    b"RCPT TO:<postmaster>",
    b"RCPT TO:<user@[127.0.0.1]>",
    "RCPT TO:<jörg@exämple.test>".encode(),
    b"RSET",
    b"NOOP text",
    b"VRFY {account}",
    b"EXPN list",
    b"HELP",
)
_SMTP_STREAMS: Sequence[bytes] = (
    (
        b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<{account}>\r\nDATA\r\nSubject: a\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n..text\r\n--b--\r\n"
        b".\r\nQUIT\r\n"
    ),
    (
        b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<{account}>\r\nBDAT 10\r\nSubject: aBDAT 4 LAST"
        b"\r\n\r\n\r\nQUIT\r\n"
    ),
    b"EHLO x\r\nSTARTTLS\r\n\x16\x03\x01\x00\x05hello",
    b"EHLO x\r\nAUTH PLAIN\r\nAGEAYg==\r\nAUTH LOGIN\r\nYQ==\r\nYg==\r\nQUIT\r\n",
    b"HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<{account}>\r\nDATA\r\n\r\n.\r\nMAIL FROM:<>\r\nRSET\r\n",
)
_IMAP_LINES: Sequence[bytes] = (
    b"FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODYSTRUCTURE)",
    b"UID FETCH 1:5,7 (BODY.PEEK[HEADER.FIELDS (FROM TO)] BODY[1.2.MIME]<0.10>)",
    b"FETCH * (BODY.PEEK[TEXT] RFC822.HEADER BINARY.SIZE[1])",
    b"UID FETCH 1:* (FLAGS) (CHANGEDSINCE 5 VANISHED)",
    b'SEARCH RETURN (MIN MAX COUNT ALL) OR NOT SEEN (SUBJECT "a\\"b" SINCE 1-Feb-2024)',
    b"UID SEARCH CHARSET UTF-8 TEXT \xc3\xa4 LARGER 10 KEYWORD $Junk UID 1:*",
    b"STORE 1:* (UNCHANGEDSINCE 9) +FLAGS.SILENT (\\Seen $Label1)",
    b"COPY 1:* Archive",
    b"UID MOVE 9999 Trash",
    b'LIST (SUBSCRIBED) "" ("*" "%/%") RETURN (SPECIAL-USE STATUS (MESSAGES UNSEEN))',
    b'LSUB "" "*"',
    b"STATUS INBOX (MESSAGES UIDNEXT UIDVALIDITY UNSEEN SIZE HIGHESTMODSEQ)",
    b"SELECT INBOX (CONDSTORE)",
    b"SELECT INBOX (QRESYNC (1 1 1:9 (1:3 1:3)))",
    b'EXAMINE "INBOX"',
    b"CREATE &AOQ-/sub.folder",
    b"SUBSCRIBE Archive",
    b'ID ("name" "fuzz" "version" NIL)',
    b"ENABLE CONDSTORE QRESYNC UTF8=ACCEPT IMAP4rev2",
    b"NAMESPACE",
    b"UID EXPUNGE 1:*",
    b"NOOP",
    b'SELECT "Other Users/{other}"',
    b'STATUS "Other Users/{other}/Archive" (MESSAGES)',
    b'CREATE "Other Users/{other}/made"',
    b'COPY 1:* "Other Users/{other}"',
    b'SUBSCRIBE "Other Users/{other}/Sent"',
    b'SETACL "Other Users/{other}" {account} lrswipkxtea',
    b'GETACL "Other Users/{other}/Archive"',
    b'SETMETADATA "Other Users/{other}" (/shared/comment "x")',
    b'LIST "" "Other Users/*"',
)
_IMAP_STREAMS: Sequence[bytes] = (
    b"a LOGIN {10+}\r\nuser@b.tes {3+}\r\nabc\r\nb NOOP\r\nc LOGOUT\r\n",
    (
        b'a LOGIN {account} "{password}"\r\nb APPEND INBOX (\\Seen) "01-Feb-2024 00:00:00 +0000" '
        b"{14+}\r\nSubject: a\r\n\r\n\r\nc SELECT INBOX\r\nd FETCH 1:* ALL\r\ne IDLE\r\nDONE\r\n"
    ),
    b'a LOGIN {account} "{password}"\r\nb APPEND INBOX ~{5+}\r\na\0b\r\n {3+}\r\nabc\r\nc NOOP\r\n',
    b"a AUTHENTICATE PLAIN\r\nAGEAYg==\r\nb AUTHENTICATE PLAIN AGEAYg==\r\nc LOGOUT\r\n",
    b"a STARTTLS\r\n\x16\x03\x01\x00\x05hello",
    b'a LOGIN {account} "{password}"\r\nb SELECT INBOX\r\nc SEARCH TEXT {2+}\r\nab\r\nd IDLE\r\n',
    (
        b'a LOGIN {account} "{password}"\r\nb DELETE "Other Users/{other}/Archive"\r\nc RENAME '
        b'"Other Users/{other}/Sent" Mine\r\nd APPEND "Other Users/{other}" {3+}\r\nabc\r\n'
    ),
    (
        b'a LOGIN {account} "{password}"\r\nb COMPRESS DEFLATE\r\n'
        b"\xf2\x53\xf0\xf3\xf7\x0f\xe0\xe5\x02\0"
    ),
)


@dataclass(frozen=True, slots=True)
class Seeds:
    """What one run mutates; `made` commands come in threes."""

    imap_lines: Sequence[bytes]
    imap_streams: Sequence[bytes]
    smtp_streams: Sequence[bytes]

    @classmethod
    def of(cls, number: int, made: int = 60) -> Self:
        return cls(imap_lines(), imap_streams(number, made), smtp_streams())


def imap_lines() -> list[bytes]:
    """Commands without tag and literals."""
    found = list(_IMAP_LINES)
    for stream in _recorded("imap", "clients"):
        lines = stream.split(b"\r\n")
        found += [_TAG.sub(b"", line) for line in lines if _TAG.match(line) and b"{" not in line]
    return list(dict.fromkeys(found))


def imap_streams(number: int, made: int) -> list[bytes]:
    """Whole conversations; `made` of them from the strategies, the same ones for a `number`."""
    return [*_IMAP_STREAMS, *_recorded("imap", "clients"), *_made(number, made)]


def smtp_streams() -> list[bytes]:
    """Whole conversations."""
    recorded = [one for one in _recorded("smtp") if b"STARTTLS" not in one]  # none is TLS
    # whose mail it is depends on who came first
    return [*_SMTP_STREAMS, *(one.replace(b"PostMaster", b"{account}") for one in recorded)]


def _recorded(*folders: str) -> Iterator[bytes]:
    """What each connection of a transcript sends."""
    for path in sorted(path for folder in folders for path in (_DIALOGUES / folder).glob("*.txt")):
        sent: dict[str, list[bytes]] = {}
        script = list(steps(path.read_text("utf-8")))
        for at, step in enumerate(script):
            if step.kind in "CDB":
                sent.setdefault(step.connection, []).append(_octets(script, at))
        yield from (_own(b"".join(lines)) for lines in sent.values())


def _own(stream: bytes) -> bytes:
    """Nobody logs in as the other: then the two change places."""
    if b"LOGIN {other}" not in stream:
        return stream
    parts = [part.replace(b"{other}", b"{account}") for part in stream.split(b"{account}")]
    return b"{other}".join(parts)


def _octets(script: list[Step], at: int) -> bytes:
    """A step as it is sent; `{#}` counts the D: lines behind it."""
    size = 0
    for step in script[at + 1 :]:
        if step.kind != "D":
            if step.kind == "S" and not size:
                continue
            break
        size += len(step.text.encode()) + 2
    text = script[at].text.replace("{#", "{" + str(size)).replace("(#)", str(size))
    if script[at].kind == "B":
        return octets_of(text).replace(b"ada@example.test", b"{account}")
    text = text.replace("ada@example.test", "{account}").replace("user@example.test", "{account}")
    text = text.replace("other@example.test", "{other}")
    filled = _NAME.sub(lambda name: "{password}" if name[1] == "password" else "1", text)
    return filled.encode() + b"\r\n"


def _made(number: int, count: int) -> Iterator[bytes]:
    """Login, SELECT, and a few commands of any kind."""
    pool: list[bytes] = []

    @seed(number)
    @settings(
        max_examples=count * 3,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(commands)
    def collect(command: object) -> None:
        pool.append(encode_command(command))  # type: ignore[arg-type]

    collect()
    for at in range(0, len(pool) - 2, 3):
        head = b'in LOGIN {account} "{password}"\r\nin2 SELECT INBOX\r\n'
        yield head + b"".join(pool[at : at + 3])
