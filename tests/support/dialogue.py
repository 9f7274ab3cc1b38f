"""Transcripts as tests: `C:` lines are sent, `S:` lines must come, in that order and no others.

# a comment
C: a LOGIN user@example.test ${password}
S: a OK ...                         `...` stands for anything on the line
S: * OK [UIDVALIDITY ${validity}] ...   a name is captured once and must then be the same
C: b APPEND INBOX {#+}              `#` counts the D: lines that follow (each with CRLF)
C: BDAT (#) LAST                    the same, without the brackets
D: Subject: x
B: NOOP\\n                          octets with Python's escapes, and no line end
C2: / S2:                           the second connection; further ones alike
TLS:                                the client starts its side of STARTTLS
ZIP:                                the client starts its side of COMPRESS
END:                                the server closes
M: Subject | body                   IMAP: a message arrives in INBOX
N: 2                                SMTP: so many messages were accepted
V: priority=4 to=a@b.test ...       SMTP: what the last of them is (smtp_stage.py)
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from tests.support.imap_server import Client

_STEP = re.compile(r"(C|S|D|B|M|N|V|TLS|ZIP|END)(\d*):(?: (.*))?")
_MARK = re.compile(r"\\\.\\\.\\\.|\\\$\\\{(\w+)\\\}")


@dataclass(frozen=True)
class Step:
    kind: str
    connection: str
    text: str
    line: int


def octets_of(text: str) -> bytes:
    """What a `B:` step sends."""
    return text.encode("latin-1").decode("unicode_escape").encode("latin-1")


def steps(text: str) -> Iterator[Step]:
    """The steps of a transcript."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _STEP.fullmatch(line)
        if found is None:
            raise ValueError(f"line {number}: {line!r}")
        yield Step(found[1], found[2] or "1", found[3] or "", number)


class Stage(Protocol):
    """The server that a transcript is played against. `names` are known from the start."""

    names: dict[str, str]

    async def connect(self) -> Client:
        """A connection that has read nothing."""

    async def perform(self, step: Step) -> None:
        """The steps beside the conversation: M, N, V."""


@dataclass
class Player:
    """Plays a transcript against a server."""

    stage: Stage
    clients: dict[str, Client] = field(default_factory=dict)
    names: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.names = dict(self.stage.names)

    async def play(self, text: str) -> None:
        script = list(steps(text))
        for index, step in enumerate(script):
            data: list[str] = []
            for following in script[index + 1 :]:
                if following.kind != "D":
                    if following.kind == "S" and not data and "{#}" in step.text:
                        continue
                    break
                data.append(following.text)
            size = sum(len(line.encode()) + 2 for line in data)
            await self._step(step, size)

    async def _step(self, step: Step, size: int) -> None:
        if step.kind in "MNV":
            await self.stage.perform(step)
            return
        client = await self._client(step.connection)
        if step.kind in "CD":
            text = self._filled(step.text).replace("{#", "{" + str(size))
            await client.send(text.replace("(#)", str(size)).encode() + b"\r\n")
        elif step.kind == "B":
            await client.send(octets_of(step.text))
        elif step.kind == "TLS":
            await client.start_tls()
        elif step.kind == "ZIP":
            client.compress()
        else:
            line = (await client.line()).decode()
            if step.kind == "END":
                assert not line, f"line {step.line}: expected the end, got {line!r}"
            else:
                self._match(step, line)

    async def _client(self, name: str) -> Client:
        if name not in self.clients:
            self.clients[name] = await self.stage.connect()
        return self.clients[name]

    def _filled(self, text: str) -> str:
        return re.sub(r"\$\{(\w+)\}", lambda found: self.names[found[1]], text)

    def _match(self, step: Step, line: str) -> None:
        seen: set[str] = set()

        def pattern(found: re.Match[str]) -> str:
            name = found[1]
            if name is None:
                return ".*"
            if name in self.names:
                return re.escape(self.names[name])
            if name in seen:
                return f"(?P={name})"
            seen.add(name)
            return f"(?P<{name}>[^ \\])]+)"

        form = _MARK.sub(pattern, re.escape(step.text).replace("\\ ", " "))
        found = re.fullmatch(form, line)
        assert found, f"line {step.line}: expected {step.text!r}\n got {line!r}"
        self.names.update(found.groupdict())
