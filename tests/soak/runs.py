"""The long runs: the functions of tests/system with many rounds. Each returns its counts."""

import asyncio
import contextlib
import os
import random
import re
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support.directories import own_database
from tests.support.whole import whole
from tests.system import test_floods, test_fuzz
from tests.system.consistency import consistent
from tests.system.disks import Ext4
from tests.system.queue_kills import killed_while_sending
from tests.system.victim import (
    Victim,
    kill_at_random,
    kill_at_step,
    lose_power_at_random,
    prepared,
)

_NUMBER = re.compile(r"\d[\d,]*")
STREAMS, FUZZ_SECONDS = 100_000, 1800
MOST = 300
"""Kills or losses of one run."""


def crash(folder: Path, seconds: float, seed: int) -> str:
    with Victim(folder / "server", seed=seed) as victim:
        victim.make_accounts()
        return _told(victim, kill_at_random(victim, MOST, seconds), "kills")


def crash_postgres(folder: Path, seconds: float, seed: int) -> str:
    with asyncio.Runner() as runner:
        database = own_database("postgresql")
        url = runner.run(database.__aenter__())
        try:
            with Victim(folder / "server", database=url, seed=seed) as victim:
                victim.make_accounts()
                return _told(victim, kill_at_random(victim, MOST, seconds), "kills")
        finally:
            runner.run(database.__aexit__(None, None, None))


def steps(folder: Path, seconds: float, seed: int) -> str:
    """Every step in turn, at counts that chance chooses."""
    template = folder / "template"
    with Victim(template) as first:
        first.make_accounts()
    chance = random.Random(seed)
    end = time.monotonic() + seconds
    kills = acknowledged = 0
    while time.monotonic() < end and kills < MOST:
        step = kills // 2 % 7
        server = folder / f"server-{kills}"
        with prepared(template, server, seed=chance.randrange(1 << 30)) as victim:
            kill_at_step(victim, step, chance.randint(1, 20), chance.randint(1, 200))
            acknowledged += victim.ledger.acknowledged
        kills += 2
    return f"{kills} kills at steps 0 to 6, {acknowledged:,} acknowledgements"


def power(folder: Path, seconds: float, seed: int) -> str:
    disk = Ext4(folder / "image", folder / "disk", megabytes=1000)
    try:
        with Victim(disk.folder / "server", seed=seed) as victim:
            victim.make_accounts()
            os.sync()
            return _told(victim, lose_power_at_random(victim, disk, MOST, seconds), "losses")
    finally:
        disk.remove()


def load(folder: Path, seconds: float, seed: int) -> str:
    """A minute of work, a check, and so on; memory must not grow with the work done."""
    end = time.monotonic() + seconds
    memory: list[int] = []
    with Victim(folder / "server", seed=seed) as victim:
        victim.make_accounts()
        victim.start()
        while time.monotonic() < end:
            victim.work(workers=6, seconds=min(60, seconds / 4)).join()
            victim.check()
            victim.trim()
            memory.append(_memory(victim))
        victim.server.stop()
        told = f"{victim.ledger.acknowledged:,} acknowledgements"
    assert memory[-1] < memory[0] * 1.5 + 64 * 1024, f"memory grows: {memory} KiB"
    first, last = memory[0] // 1024, memory[-1] // 1024
    return f"{told}, {first} MiB after the first minute, {last} at the end"


def fuzz(folder: Path, seconds: float, seed: int) -> str:
    """Mutated conversations; what must hold after each stands in tests/support/fuzz.py. Ends with
    STREAMS of them, and fails when the time was too short.
    """
    told = test_fuzz.fuzzed(folder, seed, seconds, STREAMS, made=300)
    done = int(told.partition(" ")[0].replace(",", ""))
    assert seconds < FUZZ_SECONDS or done >= STREAMS, told
    return told


def pour(folder: Path, seconds: float, seed: int) -> str:
    """The whole load that the test has a fifth of, once: neither time nor chance has a say."""
    with whole(folder) as server:
        return asyncio.run(test_floods.pour(server, 100, 25 * 1024 * 1024))


def queue(folder: Path, seconds: float, seed: int) -> str:
    """The whole load once, whatever the time."""
    return killed_while_sending(folder / "server", messages=10_000, kills=5, seed=seed)


def consistency(folder: Path, seconds: float, seed: int) -> str:
    """Ten runs, each on a server of its own; every second with kills, every second pair on
    PostgreSQL.
    """
    told = []
    for number in range(10):
        run, here = f"run {number + 1}", folder / f"run{number}"
        with contextlib.ExitStack() as stack:
            url = "sqlite"
            if number % 4 > 1:
                runner = stack.enter_context(asyncio.Runner())
                database = own_database("postgresql")
                url = runner.run(database.__aenter__())
                stack.callback(lambda r, d: r.run(d.__aexit__(None, None, None)), runner, database)
            kills = 2 if number % 2 else 0
            counts = consistent(here, seconds / 10, seed + number, database=url, kills=kills)
        print(f"{run}: {counts}", flush=True)
        told.append(counts)
    return summed(told)


def summed(told: Sequence[str]) -> str:
    """The counts of several runs added up; all are worded alike."""
    numbers = [[int(word.replace(",", "")) for word in _NUMBER.findall(one)] for one in told]
    sums = iter([sum(column) for column in zip(*numbers, strict=True)])
    return f"{len(told)} runs: " + _NUMBER.sub(lambda _: f"{next(sums):,}", told[0])


def _memory(victim: Victim) -> int:
    """Resident KiB of the server process."""
    assert victim.server.process is not None
    status = Path(f"/proc/{victim.server.process.pid}/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1])


def _told(victim: Victim, count: int, what: str) -> str:
    return (
        f"{count} {what}, {victim.ledger.acknowledged:,} acknowledgements, "
        f"{victim.resent} sent again, slowest start {max(victim.starts):.1f} s"
    )
