"""What one client knows of its selected mailbox, built only from what the server told it.

Every untagged response is checked against the rules of RFC 9051 §5.2, §7.4 and §7.5 and of RFC 7162
before it is believed: EXISTS never shrinks, nothing is expunged while a command by number runs,
UIDs ascend, a modseq never falls, flags never change without a greater modseq.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.system.consistency_truth import TOKEN, Flags, Truth, message

_LITERAL = re.compile(rb"BODY\[[^\]]*\] \{(\d+)\}\r\n")
_UID, _MODSEQ = re.compile(rb"[( ]UID (\d+)"), re.compile(rb"[( ]MODSEQ \((\d+)\)")
_FLAGS = re.compile(rb"[( ]FLAGS \(([^)]*)\)")
_CODES = {
    name: re.compile(rb"\* OK \[%b (\d+)\]" % name.encode())
    for name in ("UIDVALIDITY", "UIDNEXT", "HIGHESTMODSEQ")
}
BY_NUMBER = frozenset({"FETCH", "STORE", "SEARCH"})
"""While these run without UID no message may vanish (RFC 9051 §7.5.1)."""


def members(text: bytes) -> Iterator[int]:
    """The numbers of a set."""
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        low, high = sorted((int(first), int(last or first)))
        yield from range(low, high + 1)


@dataclass(slots=True)
class Model:
    """`numbers` holds the UID of each sequence number, 0 where it was not told yet.

    `opened` counts those that SELECT told; `cached` is the modseq up to which the client knows all
    changes, as it would write it to disk.
    """

    truth: Truth
    name: str
    numbers: list[int] = field(default_factory=list)
    flags: dict[int, Flags] = field(default_factory=dict)
    modseqs: dict[int, int] = field(default_factory=dict)
    codes: dict[str, int] = field(default_factory=dict)
    cached: int = 0
    command: str = ""
    condstore: bool = False
    qresync: bool = False
    opening: bool = False
    opened: int = -1
    found: list[int] = field(default_factory=list)
    bodies: int = 0

    @property
    def uids(self) -> list[int]:
        """Those that are known."""
        return [uid for uid in self.numbers if uid]

    def response(self, line: bytes) -> None:
        """Takes one untagged response; `command` names the one that runs, "" for none."""
        word, _, rest = line[2:].rstrip().partition(b" ")
        if word.isdigit():
            name = rest.split(None, 1)[0]
            if name == b"EXISTS":
                self._exists(int(word))
            elif name == b"EXPUNGE":
                self._expunge(int(word))
            elif name == b"FETCH":
                self._fetch(int(word), line)
        elif word == b"VANISHED":
            self._vanished(rest.strip())
        elif word == b"SEARCH":
            self.found = [int(one) for one in rest.partition(b"(")[0].split()]
        elif word == b"ESEARCH":
            every = re.search(rb" ALL ([\d:,]+)", rest)
            self.found = list(members(every[1])) if every else []
        elif word == b"OK":
            for code, pattern in _CODES.items():
                if (found := pattern.match(line)) is not None:
                    self.codes[code] = int(found[1])
        else:
            assert word in (b"FLAGS", b"STATUS", b"CAPABILITY", b"ENABLED", b"NO"), line

    def _exists(self, count: int) -> None:
        if self.opening and self.opened < 0:
            self.numbers, self.opened = [0] * count, count
            return
        assert count >= len(self.numbers), f"EXISTS {count} after {len(self.numbers)}"
        self.numbers += [0] * (count - len(self.numbers))

    def _expunge(self, number: int) -> None:
        assert not self.qresync, "EXPUNGE after ENABLE QRESYNC"
        self._may_vanish()
        assert 1 <= number <= len(self.numbers), f"EXPUNGE {number} of {len(self.numbers)}"
        self._forget(self._pop(number - 1))

    def _pop(self, place: int) -> int:
        """What goes while a mailbox is still being opened is no part of what SELECT told."""
        if self.opening and place < self.opened:
            self.opened -= 1
        return self.numbers.pop(place)

    def _may_vanish(self) -> None:
        assert self.command not in BY_NUMBER, f"messages vanish during {self.command}"
        assert self.command, "messages vanish while no command runs"

    def _forget(self, uid: int) -> None:
        self.flags.pop(uid, None)
        self.modseqs.pop(uid, None)
        if uid:
            self.truth.gone.add((self.name, uid))

    def _vanished(self, rest: bytes) -> None:
        earlier, _, uids = rest.rpartition(b" ")
        if earlier:
            assert earlier == b"(EARLIER)", rest
            for uid in members(uids):
                assert uid not in self.numbers or self.opening, f"VANISHED (EARLIER) {uid} is there"
                self._forget(uid) if uid in self.flags else None
            return
        assert self.qresync, "VANISHED without ENABLE QRESYNC"
        self._may_vanish()
        for uid in members(uids):
            self._pop(self._place(uid))
            self._forget(uid)

    def _place(self, uid: int) -> int:
        """Where the UID stands, or an unknown one that it may be."""
        if uid in self.numbers:
            return self.numbers.index(uid)
        before = max((at for at, one in enumerate(self.numbers) if 0 < one < uid), default=-1)
        assert self.numbers[before + 1 : before + 2] == [0], f"VANISHED {uid}, which was not there"
        return before + 1

    def _fetch(self, number: int, line: bytes) -> None:
        assert 1 <= number <= len(self.numbers), f"{line[:80]!r} with {len(self.numbers)} messages"
        literal = _LITERAL.search(line)
        outside, octets = line, b""
        if literal is not None:
            end = literal.end() + int(literal[1])
            outside, octets = line[: literal.start()] + line[end:], line[literal.end() : end]
        if (found := _UID.search(outside)) is not None:
            self._is(number, int(found[1]))
        uid = self.numbers[number - 1]
        modseq = _MODSEQ.search(outside)
        if (told := _FLAGS.search(outside)) is not None:
            assert modseq is not None or not self.condstore, f"flags without MODSEQ: {line[:90]!r}"
            self._flags(uid, told[1], modseq)
        elif modseq is not None and uid:
            self._modseq(uid, int(modseq[1]))
        if literal is not None:
            self._body(uid, octets)

    def _is(self, number: int, uid: int) -> None:
        known = self.numbers[number - 1]
        assert known in (0, uid), f"{number} is UID {uid}, and was {known}"
        if known:
            return
        before = max(self.numbers[: number - 1], default=0)
        after = min((one for one in self.numbers[number:] if one), default=1 << 32)
        assert before < uid < after, f"{number} is UID {uid}, between {before} and {after}"
        self.numbers[number - 1] = uid

    def _flags(self, uid: int, text: bytes, modseq: re.Match[bytes] | None) -> None:
        if not uid:
            return
        flags = frozenset(text.decode().casefold().split())
        assert len(flags) == len(text.split()), f"{text!r} names a flag twice"
        if modseq is not None:
            self._modseq(uid, int(modseq[1]))
            self.truth.has_flags(self.name, uid, int(modseq[1]), flags)
        else:
            self.modseqs.pop(uid, None)
        self.flags[uid] = flags

    def _modseq(self, uid: int, modseq: int) -> None:
        known = self.modseqs.get(uid, 0)
        assert modseq >= known, f"{self.name} {uid}: MODSEQ {modseq} after {known}"
        self.modseqs[uid] = modseq
        self.truth.saw(self.name, modseq)

    def _body(self, uid: int, octets: bytes) -> None:
        found = TOKEN.search(octets)
        assert found is not None, octets[:100]
        token = found[1].decode()
        if uid:
            self.truth.is_token(self.name, uid, token)
        if b"\r\nFrom: " in octets:
            assert octets == message(token), f"{self.name} {uid}: the bytes of {token} changed"
            self.bodies += 1

    def settled(self) -> None:
        """A command ended in which everything was told: what is known up to here is complete, once
        nothing is unknown.
        """
        if self.complete:
            self.cached = max(self.cached, max(self.modseqs.values(), default=0))

    @property
    def complete(self) -> bool:
        """Whether UID and flags of every message are known."""
        return all(uid in self.flags for uid in self.numbers)
