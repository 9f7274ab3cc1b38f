"""A server process that dies and comes back, with the ledger of what its clients were told."""

import asyncio
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any, Self

from mailserver import control
from tests.support.server import ServerProcess, configuration
from tests.system.disks import Ext4
from tests.system.ledger import Ledger, look
from tests.system.load import ACCOUNTS, Crew, removed, resend, work
from tests.system.peers import answers, imap, quoted, ready

CRASH = "MAILSERVER_CRASH_AT"
START_SECONDS = 30
# a closed port: what is for the outside world stays in the queue
OUTSIDE = """
[outbound]
smarthost = "smtp://127.0.0.1:9"
[submission]
messages_per_hour = 0
messages_per_day = 0
recipients_per_hour = 0
recipients_per_day = 0
"""


class Victim:
    """`server` with accounts a and b. `starts` are the seconds that each start took."""

    def __init__(self, folder: Path, *, database: str = "sqlite", seed: int = 1) -> None:
        self.server = ServerProcess(folder, configuration(database=database, extra=OUTSIDE))
        self.ledger = Ledger()
        self.seed = seed
        self.starts: list[float] = []
        self.resent = 0
        self._round = 0
        self._armed = folder / "armed"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        process = self.server.process
        if process is not None and process.poll() is None:
            self.server.kill()

    @property
    def ports(self) -> dict[str, int]:
        return {name: port for name, (_, port) in self.server.addresses.items()}

    def make_accounts(self) -> None:
        for account in ACCOUNTS:
            self.server.add_account(account)

    def start(self, crash_at: str = "") -> None:
        """Until it serves; `crash_at` as `step:count`, counted from `arm` on."""
        self._armed.unlink(missing_ok=True)
        if crash_at:
            self.server.environment[CRASH] = f"{crash_at}:{self._armed}"
        began = time.monotonic()
        self.server.start(START_SECONDS)
        self.server.environment.pop(CRASH, None)
        self.starts.append(time.monotonic() - began)

    def arm(self) -> None:
        """What `start` was given as `crash_at` counts from here on."""
        self._armed.touch()

    def work(self, *, workers: int = 3, seconds: float = 30) -> Crew:
        """Clients at work on the running server; each call goes on with other random numbers."""
        self._round += 1
        seed = self.seed * 1_000_003 + self._round
        return work(self.ledger, self.ports, workers=workers, seed=seed, seconds=seconds)

    def die_by_itself(self, *, workers: int = 3) -> None:
        """Arms, and works until the fault point kills the server."""
        self.arm()
        crew = self.work(workers=workers)
        crew.join()
        assert self.server.wait(10) == -signal.SIGKILL, "\n".join(self.server.log[-20:])

    def die_at_random(self, after: float, *, workers: int = 3) -> None:
        """Works and kills the server after so many seconds."""
        crew = self.work(workers=workers)
        time.sleep(after)
        self.server.kill()
        crew.join()

    def check(self) -> None:
        """The running server against the ledger."""
        self.check_ledger()
        assert self.ledger.refusals == []
        assert self.complaints() == []

    def check_ledger(self) -> None:
        """Mail and queue alone, where refusals and errors in the log are to be expected."""
        self.ledger.check(look(self.ports["imap"], ACCOUNTS), self.queued())

    def counts(self) -> Counter[str]:
        """Copies of each token, whatever the ledger says."""
        return Counter(one.token for one in look(self.ports["imap"], ACCOUNTS))

    def come_back(self, crash_at: str = "", *, again: bool = True) -> None:
        """Starts on the same data and checks; `again` first sends what got no answer."""
        self.start(crash_at)
        if again:
            self.resent += resend(self.ledger, self.ports)
        self.check()

    def trim(self, most: int = 300) -> None:
        """Empties folders with more messages, so that long runs check what is recent."""
        places = {place for place, _ in self.ledger.where}
        for place in places:
            tokens = self.ledger.standing(place)
            if len(tokens) <= most:
                continue
            with imap(self.ports["imap"], place[0]) as client:
                attempt = self.ledger.attempt(tokens, removed(place))
                with answers():
                    ready(client.select(quoted(place[1])))
                with attempt, answers():
                    ready(client.store("1:*", "+FLAGS.SILENT", r"(\Deleted)"))
                    ready(client.expunge())
        self.ledger.forget_gone()

    def queued(self) -> Counter[str]:
        """How often each token is in the queue."""
        rows = self.control("queue.list")
        return Counter(
            one["address"].partition("@")[0] for row in rows for one in row["recipients"]
        )

    def control(self, operation: str, **args: object) -> Any:
        """An operation by the control socket, as the commands do it."""

        def progress(_done: int, _total: int, _what: str) -> None:
            return

        return asyncio.run(control.call(self.server.data, operation, args, progress))

    def complaints(self) -> list[str]:
        """Lines of the log that tell of errors of the server's own."""
        wrong = ('"level":"error"', '"level":"critical"', "Traceback")
        return [line for line in self.server.log if any(word in line for word in wrong)]


def prepared(template: Path, folder: Path, **options: Any) -> Victim:
    """A victim on a copy of a folder whose accounts were made before."""
    shutil.copytree(template, folder)
    return Victim(folder, **options)


def kill_at_step(victim: Victim, step: int, first: int, second: int) -> None:
    """Dies twice right behind a step, at the first and the second count; checks after each."""
    victim.start(f"{step}:{first}")
    victim.die_by_itself()
    victim.come_back(f"{step}:{second}")
    victim.die_by_itself()
    victim.come_back(again=False)
    victim.server.stop()


def kill_at_random(
    victim: Victim, kills: int, seconds: float, *, shortest: float = 0.2, longest: float = 3.0
) -> int:
    """Kills under load until `kills` or the time is reached; checks after each. The count."""
    chance = random.Random(victim.seed)
    end = time.monotonic() + seconds
    done = 0
    victim.start()
    while done < kills and time.monotonic() < end:
        victim.die_at_random(chance.uniform(shortest, longest), workers=chance.randint(1, 6))
        done += 1
        victim.come_back(again=chance.random() < 0.8)
        victim.trim()
    victim.server.stop()
    return done


def lose_power_at_random(victim: Victim, disk: Ext4, losses: int, seconds: float) -> int:
    """Takes the power away under load until `losses` or the time is reached. The count."""
    chance = random.Random(victim.seed)
    end = time.monotonic() + seconds
    done = 0
    victim.start()
    while done < losses and time.monotonic() < end:
        crew = victim.work(workers=chance.randint(1, 6))
        time.sleep(chance.uniform(0.5, 2.5))
        victim.ledger.sure = False
        disk.lose_power()
        victim.server.kill()
        crew.join()
        victim.ledger.sure = True
        disk.power_on()
        done += 1
        victim.ledger.refusals.clear()  # between the loss and the kill the disk gives errors
        victim.come_back()
        victim.trim()
    victim.server.stop()
    return done
