"""Clients at work, each step entered in the ledger: deliveries, submissions, and all IMAP changes.

Worker N appends, flags, copies, moves and expunges in its own folders of account a; what it
delivers goes to the INBOX of a, or of a and b. It ends when the server is gone or `stop` is set.
"""

import itertools
import random
import re
import smtplib
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from tests.system.ledger import Ledger, Place, State, message
from tests.system.peers import Refused, ServerGone, answers, imap, quoted, ready, smtp

A, B = "a@example.test", "b@example.test"
ACCOUNTS = [A, B]
BIG = 1_300_000
"""Above what the server holds in memory."""
_tokens = itertools.count(1)


def put(*places: Place) -> Callable[[State], State]:
    """The step of a delivery or APPEND."""
    added = frozenset((place, frozenset[str]()) for place in places)
    return lambda state: state | added


def flagged(place: Place, flag: str, on: bool) -> Callable[[State], State]:
    """The step of STORE +FLAGS or -FLAGS."""

    def change(flags: frozenset[str]) -> frozenset[str]:
        return flags | {flag} if on else flags - {flag}

    return lambda state: frozenset((at, change(f) if at == place else f) for at, f in state)


def copied(source: Place, target: Place) -> Callable[[State], State]:
    return lambda state: state | {(target, flags) for at, flags in state if at == source}


def moved(source: Place, target: Place) -> Callable[[State], State]:
    return lambda state: frozenset((target if at == source else at, f) for at, f in state)


def removed(place: Place) -> Callable[[State], State]:
    return lambda state: frozenset((at, f) for at, f in state if at != place)


class Worker:
    """One client. `ports` of the listeners by name."""

    def __init__(self, ledger: Ledger, number: int, seed: int, ports: dict[str, int]) -> None:
        self.ledger, self.number, self.ports = ledger, number, ports
        self.random = random.Random(f"{seed}.{number}")
        self.home, self.other = (A, f"W{number}"), (A, f"W{number}b")
        self.done = 0

    def run(self, stop: threading.Event) -> None:
        """Works until the server is gone or `stop` is set."""
        with (
            suppress(ServerGone),
            smtp(self.ports["smtp"]) as mx,
            smtp(self.ports["submission"], A) as submission,
            imap(self.ports["imap"], A) as client,
        ):
            self.mx, self.submission, self.client = mx, submission, client
            self._open_folders()
            while not stop.is_set():
                self._step()

    def _open_folders(self) -> None:
        for _, folder in (self.home, self.other):
            with answers():
                self.client.create(quoted(folder))
        with answers():
            ready(self.client.select(quoted(self.home[1])))

    def _step(self) -> None:
        steps: Sequence[tuple[Callable[[], None], int]] = (
            (self.deliver, 25),
            (self.deliver_to_two, 10),
            (self.deliver_big, 1),
            (self.submit, 5),
            (self.append, 25),
            (self.flag, 15),
            (self.copy, 7),
            (self.move, 7),
            (self.expunge, 10),
        )
        ((step, _),) = self.random.choices(steps, [weight for _, weight in steps])
        with suppress(Refused):
            step()
        self.done += 1

    def token(self) -> str:
        return f"{next(_tokens)}-w{self.number}-{self.random.randrange(1 << 32):08x}"

    # SMTP.

    def deliver(self, size: int = 0) -> None:
        token = self.token()
        text = self.ledger.new(token, size or self.random.randrange(300, 6000))
        with self.ledger.attempt([token], put((A, "INBOX"))), answers():
            _send(self.mx, [A], text)

    def deliver_big(self) -> None:
        self.deliver(BIG)

    def deliver_to_two(self) -> None:
        token = self.token()
        text = self.ledger.new(token)
        with self.ledger.attempt([token], put((A, "INBOX"), (B, "INBOX"))), answers():
            _send(self.mx, [A, B], text)

    def submit(self) -> None:
        """One local and one outside recipient: a mailbox row and a queue row, or neither."""
        token = self.token()
        text = self.ledger.new(token)
        with self.ledger.attempt([token], put((B, "INBOX")), outside=True), answers():
            _send(self.submission, [B, f"{token}@outside.test"], text, A)

    # IMAP.

    def append(self) -> None:
        token = self.token()
        text = self.ledger.new(token, self.random.randrange(300, 3000))
        with self.ledger.attempt([token], put(self.home)), answers():
            (answer,) = ready(self.client.append(quoted(self.home[1]), "", "", text))
        found = re.search(rb"\[APPENDUID (\d+) (\d+)\]", answer)
        assert found, answer
        self.ledger.uid_given(self.home, int(found[1]), int(found[2]), token)

    def flag(self) -> None:
        tokens = self._some(20)
        flag = self.random.choice(["\\Seen", "\\Flagged", "$Important", "blue"])
        on = self.random.random() < 0.7
        self._store(tokens, flag, on)

    def copy(self) -> None:
        tokens = [token for token in self._some(10) if (self.other, token) not in self.ledger.where]
        self._to_other("COPY", tokens, copied(self.home, self.other))

    def move(self) -> None:
        tokens = [token for token in self._some(10) if (self.other, token) not in self.ledger.where]
        self._to_other("MOVE", tokens, moved(self.home, self.other))

    def expunge(self) -> None:
        tokens = self._some(4)
        self._store(tokens, "\\Deleted", True)
        if tokens:
            with self.ledger.attempt(tokens, removed(self.home)), answers():
                ready(self.client.uid("EXPUNGE", self._uids(tokens)))

    def _store(self, tokens: list[str], flag: str, on: bool) -> None:
        if tokens:
            with self.ledger.attempt(tokens, flagged(self.home, flag, on)), answers():
                command = f"{'+' if on else '-'}FLAGS.SILENT"
                ready(self.client.uid("STORE", self._uids(tokens), command, f"({flag})"))

    def _to_other(self, verb: str, tokens: list[str], step: Callable[[State], State]) -> None:
        if not tokens:
            return
        with self.ledger.attempt(tokens, step), answers():
            ready(self.client.uid(verb, self._uids(tokens), quoted(self.other[1])))
        code = self.client.response("COPYUID")[1][0]
        assert code, f"no COPYUID after {verb}"
        validity, sources, targets = code.split()
        by_uid = {self.ledger.where[self.home, token]: token for token in tokens}
        for source, target in zip(_numbers(sources), _numbers(targets), strict=True):
            self.ledger.uid_given(self.other, int(validity), target, by_uid[source])

    def _some(self, most: int) -> list[str]:
        standing = self.ledger.standing(self.home)
        return self.random.sample(standing, min(len(standing), self.random.randint(1, most)))

    def _uids(self, tokens: list[str]) -> str:
        return ",".join(str(self.ledger.where[self.home, token]) for token in tokens)


def work(
    ledger: Ledger, ports: dict[str, int], *, workers: int, seed: int, seconds: float = 60
) -> "Crew":
    """Starts workers; they end by themselves when the server is gone or the time is over."""
    return Crew([Worker(ledger, number, seed, ports) for number in range(workers)], seconds)


class Crew:
    """Threads of workers. What one of them raises, `join` raises."""

    def __init__(self, workers: list[Worker], seconds: float) -> None:
        self.workers = workers
        self._stop = threading.Event()
        self._errors: list[BaseException] = []
        self._end = time.monotonic() + seconds
        self._threads = [threading.Thread(target=self._run, args=(one,)) for one in workers]
        for thread in self._threads:
            thread.start()

    @property
    def done(self) -> int:
        """Steps so far."""
        return sum(worker.done for worker in self.workers)

    @property
    def working(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def join(self) -> None:
        """Waits for the server to be gone or for the end of the time."""
        for thread in self._threads:
            thread.join(max(0.0, self._end - time.monotonic()))
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
        if self._errors:
            raise self._errors[0]

    def stop(self) -> None:
        """Ends the work after the steps under way."""
        self._stop.set()
        self.join()

    def _run(self, worker: Worker) -> None:
        try:
            worker.run(self._stop)
        except BaseException as error:
            self._errors.append(error)


def resend(ledger: Ledger, ports: dict[str, int]) -> int:
    """Sends again what got no 250, as a mail server does; a copy that was kept is no second one."""
    count = 0
    with smtp(ports["smtp"]) as mx:
        for token in ledger.pending():
            record = ledger.records[token]
            state = max(record.states, key=len)
            people = [account for (account, folder), _ in state if folder == "INBOX"]
            if not people or len(record.outside) > 1:
                continue  # a submission's outside copy may come twice: SMTP allows it
            step = put(*((account, "INBOX") for account in people))
            with ledger.attempt([token], step), answers():
                _send(mx, people, message(token, record.size))
            count += 1
    return count


def _send(
    client: smtplib.SMTP, people: list[str], text: bytes, sender: str = "s@world.test"
) -> None:
    """One transaction; a refused recipient refuses it all."""
    for code, answer in (client.mail(sender), *(client.rcpt(person) for person in people)):
        if code != 250:
            client.rset()
            raise Refused(f"{code} {answer!r}")
    code, answer = client.data(text)
    if code != 250:
        raise Refused(f"{code} {answer!r}")


def _numbers(text: bytes) -> list[int]:
    """The numbers of a UID set."""
    found: list[int] = []
    for part in text.decode().split(","):
        first, _, last = part.partition(":")
        low, high = sorted((int(first), int(last or first)))
        found += range(low, high + 1)
    return found
