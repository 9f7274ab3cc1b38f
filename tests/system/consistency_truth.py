"""What all clients of one server were told together, and what each new answer is held against.

A message is known by its token (header X-Token), its bytes follow from that. A UID names one token
for ever; a modseq of a UID names one set of flags, whoever was told; a UID once gone stays gone; a
message moves away once. Messages that nobody tried to delete must be there at the end.
"""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

Key = tuple[str, int]
"""Mailbox and UID; the mailboxes here keep their UIDVALIDITY."""
Flags = frozenset[str]

TOKEN = re.compile(rb"^X-Token: (\S+)\r?$", re.MULTILINE)


def message(token: str) -> bytes:
    """The same bytes for the same token, CRLF; some of them 8-bit."""
    chance = random.Random(token)
    head = (
        f"X-Token: {token}\r\nFrom: <sender@world.test>\r\nSubject: consistency {token}\r\n"
        f"Message-ID: <{token}@world.test>\r\nDate: Mon, 2 Jan 2006 15:04:05 +0000\r\n\r\n"
    )
    choice = ("lorem", "ipsum", "größe", "x" * 60)
    words = [chance.choice(choice) for _ in range(chance.randint(1, 90))]
    return (head + "\r\n".join(words) + "\r\n").encode()


@dataclass(slots=True)
class Truth:
    """Shared by all clients; they run in one loop, so nothing here needs a lock."""

    validity: dict[str, int] = field(default_factory=dict)
    tokens: dict[Key, str] = field(default_factory=dict)
    flags: dict[tuple[str, int, int], Flags] = field(default_factory=dict)
    highest: dict[str, int] = field(default_factory=dict)
    acknowledged: set[Key] = field(default_factory=set)
    deleted: set[Key] = field(default_factory=set)
    leaving: set[Key] = field(default_factory=set)
    gone: set[Key] = field(default_factory=set)
    moved: set[Key] = field(default_factory=set)
    sent: set[str] = field(default_factory=set)

    def opened(self, box: str, validity: int, uidnext: int, highest: int, before: int) -> None:
        """SELECT's numbers; `before` is the highest modseq anybody knew when it was sent."""
        assert self.validity.setdefault(box, validity) == validity, f"{box}: UIDVALIDITY changed"
        assert highest >= before, f"{box}: HIGHESTMODSEQ {highest} after {before} was told"
        last = max((uid for name, uid in self.tokens if name == box), default=0)
        # appended by others while SELECT ran: only what is far behind is wrong
        assert uidnext > last - 200, f"{box}: UIDNEXT {uidnext}, but UID {last} was given"

    def is_token(self, box: str, uid: int, token: str) -> None:
        """The UID names that message."""
        assert token in self.sent, f"{box} {uid}: {token} was never sent"
        known = self.tokens.setdefault((box, uid), token)
        assert known == token, f"{box} {uid} is {token}, and was {known}"

    def given(self, box: str, uid: int, token: str | None) -> None:
        """APPENDUID or COPYUID: acknowledged, so that it stays unless someone deletes it."""
        self.acknowledged.add((box, uid))
        if token is not None:
            self.is_token(box, uid, token)

    def has_flags(self, box: str, uid: int, modseq: int, flags: Flags) -> None:
        """A FETCH told both."""
        known = self.flags.setdefault((box, uid, modseq), flags)
        assert known == flags, f"{box} {uid} at {modseq}: {sorted(flags)}, and {sorted(known)}"
        self.saw(box, modseq)

    def saw(self, box: str, modseq: int) -> None:
        self.highest[box] = max(self.highest.get(box, 0), modseq)

    def deletes(self, box: str, uids: Iterable[int]) -> None:
        """A client is about to flag them \\Deleted: whoever expunges then removes them."""
        self.deleted.update((box, uid) for uid in uids)

    def leaves(self, box: str, uids: Iterable[int]) -> None:
        """A client is about to move them away."""
        self.leaving.update((box, uid) for uid in uids)

    def copied(
        self, source: str, target: str, pairs: Iterable[tuple[int, int]], move: bool
    ) -> None:
        """COPYUID of COPY or MOVE."""
        for old, new in pairs:
            self.given(target, new, self.tokens.get((source, old)))
            if move:
                assert (source, old) not in self.moved, f"{source} {old} was moved twice"
                self.moved.add((source, old))
            if (source, old) in self.deleted:
                self.deleted.add((target, new))  # the flag goes with it

    def mortal(self, box: str, uid: int) -> bool:
        """Whether clients may delete it: nine of ten messages."""
        token = self.tokens.get((box, uid))
        return token is not None and not token.endswith("0")

    def all_present(self, box: str, uids: set[int]) -> None:
        """Holds a mailbox at rest against what was promised."""
        promised = self.acknowledged - self.deleted - self.leaving
        wanted = {uid for name, uid in promised if name == box}
        assert wanted <= uids, f"{box}: acknowledged and missing: {sorted(wanted - uids)}"
        back = {uid for name, uid in self.gone if name == box} & uids
        assert not back, f"{box}: told to be gone, and there: {sorted(back)}"
