"""A client that does at random what clients do, and keeps a model of its mailbox meanwhile."""

import asyncio
import itertools
import random
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress

from tests.support.imap_server import Client
from tests.support.server import PASSWORD
from tests.system.consistency_model import Model, members
from tests.system.consistency_truth import Truth, message

BOXES = ("INBOX", "Shared", "Shared/below")
WORDS = ("\\seen", "\\flagged", "\\answered", "$label1", "blue", "$forwarded")
MOST = 120
"""Messages of a mailbox above which clients delete and do not add."""
_GONE = (OSError, EOFError, TimeoutError)
_GONE_SINCE = re.compile(rb"\[(EXPUNGEISSUED\]|COPYUID |MODIFIED )|No such message")
_UIDS = re.compile(rb"\[(APPENDUID|COPYUID) ")
_UNSETTLED = frozenset({"FETCH", "STORE", "SEARCH", "LOGOUT"})
"""Commands that may end with something untold."""
_tokens = itertools.count(1)


class Gone(Exception):
    """The connection ended before an answer."""


class Wanderer:
    """One client. `step` does one thing; between two steps the model is lawful."""

    def __init__(self, number: int, seed: int, truth: Truth, account: str) -> None:
        self.chance = random.Random(f"{seed}.{number}")
        self.number, self.truth, self.account = number, truth, account
        self.client: Client | None = None
        self.model = Model(truth, "")
        self.kept: dict[str, Model] = {}
        self.condstore = number % 4 != 0
        self.qresync = number % 4 > 1
        self.read_only = number % 10 == 9
        self.steps = 0

    # The connection.

    async def open(self, port: int) -> None:
        """Connects, logs in and selects a mailbox with what was kept of it."""
        try:
            self.client = await Client.connect(port)
            await self._raw_line()
        except _GONE as gone:
            raise Gone from gone
        self.model = Model(self.truth, "")
        await self.ok(f'LOGIN {self.account} "{PASSWORD}"')
        words, _ = await self.ok("CAPABILITY", told=True)
        self.qresync = self.qresync and b"QRESYNC" in words
        if self.qresync:
            await self.ok("ENABLE QRESYNC")
        elif self.condstore:
            await self.ok("ENABLE CONDSTORE")
        await self.select(self.chance.choice(BOXES))

    async def leave(self) -> None:
        """Ends the connection in one of the ways that clients have; the model is kept."""
        if self.chance.random() < 0.5:
            await self.ok("LOGOUT")
        await self.drop()

    async def drop(self) -> None:
        self._keep()
        client, self.client = self.client, None
        if client is not None:
            with suppress(*_GONE):
                await client.close()

    def _keep(self) -> None:
        if self.model.name:
            self.kept[self.model.name] = self.model

    async def select(self, name: str) -> None:
        """SELECT or EXAMINE with CONDSTORE or QRESYNC, and what it takes to know all again."""
        await self._unasked(self.model)
        self._keep()
        old = self.kept.get(name)
        model = Model(self.truth, name, condstore=self.condstore, qresync=self.qresync)
        before = self.truth.highest.get(name, 0)
        known_gone = {uid for box, uid in self.truth.gone if box == name}
        verb = "EXAMINE" if self.read_only else "SELECT"
        quick = self.qresync and old is not None and old.cached > 0
        known = sorted(old.flags) if quick and old and self.chance.random() < 0.5 else []
        if old is not None:
            model.flags, model.modseqs, model.cached = (
                dict(old.flags),
                dict(old.modseqs),
                old.cached,
            )
        self.model, model.opening = model, True
        if quick:
            only = f" {known[0]}:{known[-1]}" if known else ""
            since = f"{self.truth.validity[name]} {model.cached}{only}"
            await self.ok(f"{verb} {name} (QRESYNC ({since}))", model=model)
        else:
            await self.ok(f"{verb} {name}" + " (CONDSTORE)" * self.condstore, model=model)
        model.opening = False
        codes = model.codes
        self.truth.opened(
            name,
            codes["UIDVALIDITY"],
            codes["UIDNEXT"],
            codes.get("HIGHESTMODSEQ", 1 << 63),
            before,
        )
        if quick:
            self._place(model, known)
        await self._catch_up(model, quick)
        back = known_gone & set(model.uids)
        assert not back, f"{name}: {sorted(back)} are gone and come back with SELECT"

    def _place(self, model: Model, known: list[int]) -> None:
        """After QRESYNC the UIDs that are left are those of the first sequence numbers: of all that
        were there at SELECT, unless the client asked about those only that it knew.
        """
        later = set(model.numbers[model.opened :])
        left = [uid for uid in sorted(model.flags) if uid not in later]
        if known:
            left = [uid for uid in left if uid <= known[-1]]
        assert len(left) == model.opened or (known and len(left) < model.opened), (
            f"{model.name}: {len(left)} UIDs after QRESYNC from {model.cached}, and"
            f" {model.opened} EXISTS"
        )
        for at, uid in enumerate(left):
            assert model.numbers[at] in (0, uid), f"{at + 1} is {model.numbers[at]}, not {uid}"
            model.numbers[at] = uid

    async def _catch_up(self, model: Model, quick: bool) -> None:
        """What changed since the modseq that was kept, then what does not exist any more."""
        if not quick and model.cached and self.condstore and model.numbers:
            await self.ok(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {model.cached})")
        elif not quick:
            model.flags, model.modseqs = {}, {}
        if not quick and model.numbers:
            await self.ok("UID FETCH 1:* (UID)")
        there = set(model.uids)
        model.flags = {uid: flags for uid, flags in model.flags.items() if uid in there}
        model.modseqs = {uid: at for uid, at in model.modseqs.items() if uid in there}
        await self.learn()

    async def learn(self) -> None:
        """Asks for the UID and the flags of every message of which they are not known."""
        model, tries = self.model, 0
        while not model.complete:
            tries += 1
            assert tries < 50, "there is always something unknown"
            unknown = [at for at, uid in enumerate(model.numbers, 1) if uid not in model.flags]
            items = "(UID FLAGS MODSEQ)" if self.condstore else "(UID FLAGS)"
            await self.ok(f"FETCH {unknown[0]}:{unknown[-1]} {items}", may_fail=True)
            await self.ok("NOOP")

    # Commands.

    async def ok(
        self,
        text: str | bytes,
        *,
        may_fail: bool = False,
        told: bool = False,
        model: Model | None = None,
    ) -> list[bytes]:
        """Runs a command; with `told` the untagged responses are returned, not believed.

        `may_fail`: NO is an answer too. `model` takes what comes, if not the present one.
        """
        octets = text.encode() if isinstance(text, str) else text
        name = octets.split(None, 2)[0].decode()
        if name == "UID":
            name = " ".join(octets.decode("latin-1").split(None, 2)[:2])
        untagged, answer = await self._run(octets, name, model or self.model, told)
        fine = (b"OK", b"NO") if may_fail else (b"OK",)
        assert answer.startswith(fine), f"{octets[:200]!r}: {answer!r}"
        if not answer.startswith(b"OK"):
            assert _GONE_SINCE.search(answer), answer
        if name not in _UNSETTLED and (model or self.model).name:
            (model or self.model).settled()
        return [*untagged, answer]

    async def _run(
        self, octets: bytes, name: str, model: Model, told: bool
    ) -> tuple[list[bytes], bytes]:
        assert self.client is not None
        tag = b"%d.%d" % (self.number, next(_tokens))
        untagged: list[bytes] = []
        try:
            await self._unasked(self.model)
            model.command = name
            await self.client.send(tag + b" " + octets + b"\r\n")
            while True:
                line = await self.client.response()
                if not line or (line.startswith(b"* BYE") and name != "LOGOUT"):
                    raise Gone(line)
                if line.startswith(tag + b" "):
                    return untagged, line[len(tag) + 1 : -2]
                assert line.startswith(b"* "), line
                if told or name == "LOGOUT":
                    untagged.append(line)
                else:
                    untagged += [line] if _UIDS.search(line) else []
                    model.response(line)
        except _GONE as gone:
            raise Gone from gone
        finally:
            model.command = ""

    async def _unasked(self, model: Model) -> None:
        """Takes what came while no command ran."""
        assert self.client is not None
        with suppress(TimeoutError):
            async with asyncio.timeout(0):
                while line := await self.client.response():
                    if line.startswith(b"* BYE"):
                        raise Gone(line)
                    model.response(line)

    async def _raw_line(self) -> bytes:
        assert self.client is not None
        line = await self.client.line()
        if not line.startswith(b"* OK"):
            raise Gone(line)
        return line

    # Steps.

    async def step(self) -> None:
        """One thing; afterwards everything that came is known."""
        steps: Sequence[tuple[Callable[[], Awaitable[None]], int]] = (
            (self.fetch, 12),
            (self.fetch_body, 8),
            (self.store, 25),
            (self.search, 10),
            (self.append, 12),
            (self.copy, 6),
            (self.move, 6),
            (self.delete, 6),
            (self.replace, 4),
            (self.idle, 8),
            (self.noop, 5),
            (self.reselect, 3),
        )
        ((step, _),) = self.chance.choices(steps, [weight for _, weight in steps])
        await step()
        if self.chance.random() < 0.7:
            await self.learn()
        self.steps += 1

    def some(self, most: int, mortal: bool = False) -> list[int]:
        """A few of the known UIDs."""
        known = self.model.uids
        if mortal:
            known = [uid for uid in known if self.truth.mortal(self.model.name, uid)]
        return sorted(self.chance.sample(known, min(len(known), self.chance.randint(1, most))))

    def named(self, uids: Iterable[int]) -> tuple[str, str]:
        """`UID ` or nothing, and the set that names the messages so."""
        if self.chance.random() < 0.5:
            return "UID ", ",".join(map(str, uids))
        place = {uid: at for at, uid in enumerate(self.model.numbers, 1)}
        return "", ",".join(str(place[uid]) for uid in uids)

    async def fetch(self) -> None:
        if uids := self.some(10):
            prefix, numbers = self.named(uids)
            items = self.chance.choice(("(FLAGS)", "(UID FLAGS)", "(FLAGS INTERNALDATE)", "FAST"))
            await self.ok(f"{prefix}FETCH {numbers} {items}", may_fail=not prefix)

    async def fetch_body(self) -> None:
        if uids := self.some(3):
            prefix, numbers = self.named(uids)
            item = self.chance.choice(
                ("BODY[]", "BODY.PEEK[]", "BODY.PEEK[HEADER.FIELDS (X-Token)]")
            )
            await self.ok(f"{prefix}FETCH {numbers} (UID {item})", may_fail=True)

    async def store(self) -> None:
        uids = self.some(8)
        if not uids or self.read_only:
            return
        words = self.chance.sample(WORDS, self.chance.randint(1, 2))
        await self._store(uids, self.chance.choice("+-+- "), words, self.chance.random() < 0.4)

    async def _store(self, uids: list[int], sign: str, words: list[str], silent: bool) -> None:
        """With SILENT the client takes its own change for done, until it is told otherwise."""
        model = self.model
        prefix, numbers = self.named(uids)
        uids = list(uids)
        condition = ""
        if self.condstore and all(uid in model.modseqs for uid in uids) and not silent:
            since = max(model.modseqs[uid] for uid in uids) - self.chance.randint(0, 1)
            condition = f"(UNCHANGEDSINCE {since}) " if self.chance.random() < 0.3 else ""
        verb = f"{sign.strip()}FLAGS" + ".SILENT" * silent
        if silent:
            for uid in uids:
                model.flags[uid] = _changed(model.flags.get(uid, frozenset()), sign, words)
        try:
            *_, answer = await self.ok(
                f"{prefix}STORE {numbers} {condition}{verb} ({' '.join(words)})",
                may_fail=not prefix,
            )
        except Gone:
            model.cached = 0  # was it done? all is asked for again
            raise
        if found := re.search(rb"\[MODIFIED ([\d:,]+)\]", answer):
            assert condition, answer
            assert len(list(members(found[1]))) <= len(uids)

    async def search(self) -> None:
        uids = self.some(5)
        if not uids:
            return
        prefix = self.chance.choice(("", "UID "))
        numbers = ",".join(map(str, uids))
        key = self.chance.choice((f"UID {numbers}", "SEEN", "KEYWORD blue", "UNSEEN UNDELETED"))
        returns = self.chance.choice(("", "RETURN (ALL) "))
        model, count = self.model, len(self.model.numbers)
        model.found = []
        known = set(model.uids)
        await self.ok(f"{prefix}SEARCH {returns}{key}")
        assert model.found == sorted(set(model.found))
        if not prefix:
            assert all(1 <= one <= count for one in model.found), (model.found, count)
        elif 0 not in model.numbers:
            assert set(model.found) <= known | set(model.uids), "SEARCH finds what was not told"

    async def append(self) -> None:
        if self.model.numbers[MOST:]:
            await self.delete()
            return
        box = self.chance.choice((*BOXES, self.model.name))
        parts, tokens = [f"APPEND {box}".encode()], []
        for _ in range(self.chance.choice((1, 1, 1, 3))):
            token = f"{self.number}-{next(_tokens)}"
            tokens.append(token)
            self.truth.sent.add(token)
            flags = " ".join(self.chance.sample(WORDS, self.chance.randint(0, 2)))
            text = message(token)
            parts.append(b"(%s) {%d+}\r\n%b" % (flags.encode(), len(text), text))
        *_, answer = await self.ok(b" ".join(parts))
        found = re.search(rb"\[APPENDUID (\d+) ([\d:,]+)\]", answer)
        assert found is not None, answer
        for uid, token in zip(members(found[2]), tokens, strict=True):
            self.truth.given(box, uid, token)

    async def copy(self) -> None:
        if self.model.numbers[MOST:]:
            await self.delete()
        else:
            await self._transfer("COPY", self.some(5))

    async def move(self) -> None:
        if not self.read_only:
            uids = self.some(5)
            self.truth.leaves(self.model.name, uids)
            await self._transfer("MOVE", uids)

    async def _transfer(self, verb: str, uids: list[int]) -> None:
        target = self.chance.choice([box for box in BOXES if box != self.model.name])
        if not uids:
            return
        prefix, numbers = self.named(uids)
        answers = await self.ok(f"{prefix}{verb} {numbers} {target}", may_fail=not prefix)
        found = re.search(rb"\[COPYUID \d+ ([\d:,]+) ([\d:,]+)\]", b"".join(answers))
        if found is not None:
            pairs = zip(members(found[1]), members(found[2]), strict=True)
            self.truth.copied(self.model.name, target, pairs, verb == "MOVE")

    async def delete(self) -> None:
        if self.read_only:
            return
        name = self.model.name
        uids = self.some(30 if self.model.numbers[MOST:] else 6, mortal=True)
        if not uids:
            return
        self.truth.deletes(name, uids)
        await self._store(uids, "+", ["\\deleted"], self.chance.random() < 0.5)
        how = self.chance.randrange(4)
        if how == 0:
            await self.ok("EXPUNGE")
        elif how == 1:
            await self.ok(f"UID EXPUNGE {','.join(map(str, uids))}")
        elif how == 2:
            await self.ok("CLOSE", model=Model(self.truth, ""))
            await self.select(name)

    async def replace(self) -> None:
        """A draft is saved once more: one comes and one goes."""
        uids = [] if self.read_only else self.some(1, mortal=True)
        if not uids:
            return
        box, token = self.chance.choice((*BOXES, self.model.name)), f"{self.number}-{next(_tokens)}"
        self.truth.sent.add(token)
        self.truth.deletes(self.model.name, uids)
        prefix, number = self.named(uids)
        flags, text = self.chance.choice(WORDS), message(token)
        command = f"{prefix}REPLACE {number} {box} ({flags}) {{{len(text)}+}}\r\n".encode()
        *told, answer = await self.ok(command + text, may_fail=True)
        if answer.startswith(b"OK"):
            found = re.search(rb"\[APPENDUID \d+ (\d+)\]", b"".join(told))
            assert found is not None, told
            self.truth.given(box, int(found[1]), token)

    async def idle(self) -> None:
        """IDLE for a moment; everything that comes is believed at once."""
        assert self.client is not None
        model = self.model
        await self._unasked(model)
        try:
            model.command = "IDLE"
            await self.client.send("idle IDLE\r\n")
            while (line := await self.client.response()) != b"+ idling\r\n":
                self._heard(line)
            with suppress(TimeoutError):
                async with asyncio.timeout(self.chance.uniform(0.01, 0.6)):
                    while True:
                        self._heard(await self.client.response())
            await self.client.send("DONE\r\n")
            while not (line := await self.client.response()).startswith(b"idle OK"):
                self._heard(line)
        except _GONE as gone:
            raise Gone from gone
        finally:
            model.command = ""
        model.settled()

    def _heard(self, line: bytes) -> None:
        if not line or line.startswith(b"* BYE"):
            raise Gone(line)
        assert line.startswith(b"* "), line
        self.model.response(line)

    async def noop(self) -> None:
        await self.ok(self.chance.choice(("NOOP", "CHECK", f"STATUS {BOXES[1]} (MESSAGES UNSEEN)")))

    async def reselect(self) -> None:
        await self.select(self.chance.choice(BOXES))


def _changed(flags: frozenset[str], sign: str, words: Sequence[str]) -> frozenset[str]:
    if sign == "+":
        return flags | set(words)
    return flags - set(words) if sign == "-" else frozenset(words)
