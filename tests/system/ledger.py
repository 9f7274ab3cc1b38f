"""What clients were told: the ledger that a restarted server is held against.

A message is known by its token (header X-Ledger). For each token the ledger keeps the states that
are possible: one after an answer, two while a command waits for its answer. A state is the set of
places where the message stands, each with its flags. UIDs are remembered for ever: none may name
two messages.
"""

import hashlib
import imaplib
import random
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.system.peers import Refused, imap, quoted, ready

Place = tuple[str, str]
"""Account and folder."""
State = frozenset[tuple[Place, frozenset[str]]]
Step = Callable[[State], State]

NOWHERE: State = frozenset()
TOKEN = re.compile(rb"^X-Ledger: (\S+)\r?$", re.MULTILINE)
OWN_FLAGS = {"\\Recent"}


def message(token: str, size: int = 600) -> bytes:
    """The same bytes for the same token, CRLF, about `size` octets."""
    filler = random.Random(token)
    head = (
        f"X-Ledger: {token}\r\nFrom: <a@example.test>\r\nTo: <a@example.test>\r\n"
        f"Subject: ledger {token}\r\nMessage-ID: <{token}@world.test>\r\n"
        f"Date: Mon, 2 Jan 2006 15:04:05 +0000\r\n\r\n"
    ).encode()
    lines = [filler.randbytes(38).hex().encode() for _ in range(max(1, (size - len(head)) // 78))]
    return head + b"\r\n".join(lines) + b"\r\n"


@dataclass(slots=True)
class Record:
    """One token: possible states, the digest of its bytes, and recipients in the queue."""

    digest: bytes
    size: int
    states: set[State] = field(default_factory=lambda: {NOWHERE})
    outside: set[bool] = field(default_factory=lambda: {False})


@dataclass(frozen=True, slots=True)
class Found:
    """One message as IMAP shows it."""

    place: Place
    uidvalidity: int
    uid: int
    flags: frozenset[str]
    token: str
    body: bytes


class Ledger:
    """Shared by the client threads of one server; `check` compares it with what IMAP shows."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.records: dict[str, Record] = {}
        self.uids: dict[tuple[Place, int, int], str] = {}
        self.where: dict[tuple[Place, str], int] = {}
        self.refusals: list[str] = []
        self.sure = True
        """False from the moment in which the disk goes until the server is killed: when the power
        goes nobody is left to answer. What is refused then may be on the disk all the same, and
        what is flushed may be dropped (disks.Ext4.lose_power).
        """
        self.acknowledged = 0

    def new(self, token: str, size: int = 600) -> bytes:
        """The bytes of a message that was not sent yet."""
        text = message(token, size)
        with self._lock:
            self.records[token] = Record(hashlib.sha256(text).digest(), len(text))
        return text

    @contextmanager
    def attempt(self, tokens: list[str], step: Step, *, outside: bool = False) -> Iterator[None]:
        """Around one command: before it both states are possible, after its answer one is.

        Refused keeps the old states; ServerGone and everything else leaves both, as do answers
        while `sure` is False.
        """
        with self._lock:
            before = {token: set(self.records[token].states) for token in tokens}
            for token in tokens:
                record = self.records[token]
                record.states |= {step(state) for state in record.states}
                if outside:
                    record.outside.add(True)
        try:
            yield
        except Refused as refused:
            with self._lock:
                self.refusals.append(str(refused))
                for token in tokens if self.sure else ():
                    self.records[token].states = before[token]
                    if outside:
                        self.records[token].outside = {False}
            raise
        with self._lock:
            self.acknowledged += self.sure
            for token in tokens if self.sure else ():
                record = self.records[token]
                record.states = {step(state) for state in before[token]}
                if outside:
                    record.outside = {True}

    def uid_given(self, place: Place, uidvalidity: int, uid: int, token: str) -> None:
        """From APPENDUID, COPYUID or FETCH."""
        with self._lock:
            known = self.uids.setdefault((place, uidvalidity, uid), token)
            assert known == token, f"UID {uid} of {place} was {known} and is {token}"
            self.where[place, token] = uid

    def pending(self) -> list[str]:
        """Tokens whose first command got no answer."""
        with self._lock:
            return [
                token
                for token, record in self.records.items()
                if NOWHERE in record.states and len(record.states) > 1
            ]

    def standing(self, place: Place) -> list[str]:
        """Tokens that are surely in a folder and have a known UID there."""
        with self._lock:
            return [
                token
                for token, record in self.records.items()
                if (place, token) in self.where
                and all(any(at == place for at, _ in state) for state in record.states)
            ]

    def check(self, found: list[Found], queued: Counter[str]) -> None:
        """Fails with everything that is lost, doubled, changed or not expected.

        Afterwards what was seen is the one possible state: it must stay so.
        """
        errors = [*self._doubles(found)]
        seen: dict[str, set[tuple[Place, frozenset[str]]]] = {}
        for one in found:
            self.uid_given(one.place, one.uidvalidity, one.uid, one.token)
            seen.setdefault(one.token, set()).add((one.place, one.flags))
            errors += self._content(one)
        with self._lock:
            for token, record in self.records.items():
                state = frozenset(seen.pop(token, ()))
                if state not in record.states:
                    errors.append(f"{token}: {_show({state})}, allowed: {_show(record.states)}")
                record.states = {state}
                if queued[token] > 1 or bool(queued[token]) not in record.outside:
                    errors.append(f"{token}: {queued[token]} times in the queue")
                record.outside = {queued[token] > 0}
            errors += [f"{token}: never sent" for token in seen]
        assert not errors, f"{len(errors)} errors:\n" + "\n".join(errors[:20])

    def forget_gone(self) -> None:
        """Drops records of messages that stand nowhere; their UIDs stay known."""
        with self._lock:
            for token in [
                token
                for token, record in self.records.items()
                if record.states == {NOWHERE} and record.outside == {False}
            ]:
                del self.records[token]
                for key in [key for key in self.where if key[1] == token]:
                    del self.where[key]

    def _doubles(self, found: list[Found]) -> Iterator[str]:
        times = Counter((one.place, one.token) for one in found)
        yield from (
            f"{token} {count} times in {at}" for (at, token), count in times.items() if count > 1
        )

    def _content(self, one: Found) -> Iterator[str]:
        record = self.records.get(one.token)
        if record is None:
            return
        if hashlib.sha256(one.body[-record.size :]).digest() != record.digest:
            yield f"{one.token}: other bytes than were sent in {one.place} {one.uid}"


def look(port: int, accounts: list[str]) -> list[Found]:
    """Everything that IMAP shows in all folders of the accounts."""
    found = []
    for account in accounts:
        with imap(port, account) as client:
            for folder in folders(client):
                found += _look_into(client, (account, folder))
    return found


def folders(client: imaplib.IMAP4) -> list[str]:
    """Names of the selectable folders."""
    lines = [line for line in ready(client.list()) if isinstance(line, bytes)]
    return [
        line.decode().rpartition(' "/" ')[2].strip('"')
        for line in lines
        if b"\\Noselect" not in line
    ]


def _look_into(client: imaplib.IMAP4, place: Place) -> list[Found]:
    count = ready(client.select(quoted(place[1]), readonly=True))[0]
    uidvalidity = int(client.response("UIDVALIDITY")[1][0])
    uidnext = int(client.response("UIDNEXT")[1][0])
    if count == b"0":
        return []
    found = []
    for item in ready(client.fetch("1:*", "(UID FLAGS BODY.PEEK[])")):
        if isinstance(item, tuple):
            head, body = item
            token = TOKEN.search(body)
            assert token, f"a message that nobody sent in {place}: {body[:300]!r}"
            uid = int(re.search(rb"UID (\d+)", head)[1])  # type: ignore[index]
            assert uid < uidnext
            flags = frozenset(f.decode() for f in imaplib.ParseFlags(head)) - OWN_FLAGS
            found.append(Found(place, uidvalidity, uid, flags, token[1].decode(), body))
    return found


def _show(states: set[State]) -> str:
    shown = []
    for state in states:
        places = [f"{a}/{f}({' '.join(sorted(flags))})" for (a, f), flags in sorted(state, key=str)]
        shown.append("+".join(places) or "nowhere")
    return " or ".join(sorted(shown))
