"""SIGKILL at every numbered step and at random under load: nothing acknowledged is lost or doubled.

The steps are those of the delivery table in docs/store.md. scripts/soak runs the random kills at
full length.
"""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.directories import own_database
from tests.system.ledger import message
from tests.system.load import ACCOUNTS, A, put
from tests.system.peers import ServerGone, answers, smtp
from tests.system.victim import Victim, kill_at_random, kill_at_step


@pytest.fixture
def on_postgres(tmp_path: Path) -> Iterator[Victim]:
    """A server whose index is a PostgreSQL database of its own."""
    with asyncio.Runner() as runner:
        database = own_database("postgresql")
        url = runner.run(database.__aenter__())
        try:
            with Victim(tmp_path / "server", database=url) as victim:
                victim.make_accounts()
                yield victim
        finally:
            runner.run(database.__aexit__(None, None, None))


@pytest.mark.parametrize("step", range(7))
def test_killed_right_after_a_step(victim: Victim, step: int) -> None:
    kill_at_step(victim, step, first=3, second=25)


@pytest.mark.postgres
@pytest.mark.parametrize("step", [3, 4])
def test_killed_right_after_a_step_on_postgresql(on_postgres: Victim, step: int) -> None:
    kill_at_step(on_postgres, step, first=3, second=25)


def test_killed_at_random_under_load(victim: Victim) -> None:
    kills = kill_at_random(victim, kills=5, seconds=20, longest=1.5)
    print(f"{kills} kills, {victim.ledger.acknowledged} acknowledgements, {victim.resent} resent")
    assert kills > 0


def test_committed_but_not_answered_is_recognised_when_it_comes_again(victim: Victim) -> None:
    """The kill stands between COMMIT and 250; the sender's second try makes no second copy."""
    token = next(str(token) for token in range(9) if killed_behind_its_commit(victim, token))
    for _ in range(2):  # the second time it is one more message: nobody asked for less
        with smtp(victim.ports["smtp"]) as mx:
            mx.sendmail("s@world.test", [A], message(token))
    with smtp(victim.ports["smtp"]) as mx:
        mx.sendmail("s@world.test", [A], victim.ledger.new("other"))
    counts = victim.counts()
    assert counts == {token: 2, "other": 1}


def killed_behind_its_commit(victim: Victim, attempts: int) -> bool:
    """Whether it was this message's COMMIT: a job of the start or of the mirror may come first, the
    less so the longer the server has run.
    """
    token = str(attempts)
    victim.start("4:1")
    time.sleep(0.5 * attempts)
    victim.arm()
    attempt = victim.ledger.attempt([token], put((A, "INBOX")))
    text = victim.ledger.new(token)
    with pytest.raises(ServerGone), smtp(victim.ports["smtp"]) as mx, attempt, answers():
        mx.sendmail("s@world.test", [A], text)
    victim.server.wait(10)
    victim.come_back(again=False)
    if victim.ledger.records[token].states != {frozenset()}:
        return True
    victim.server.stop()
    return False


def test_two_accounts_of_one_message_stand_or_fall_together(victim: Victim) -> None:
    """The ledger allows both copies or none."""
    victim.start("3:1")
    victim.arm()
    text = victim.ledger.new("both")
    step = put(*((account, "INBOX") for account in ACCOUNTS))
    attempt = victim.ledger.attempt(["both"], step)
    with pytest.raises(ServerGone), smtp(victim.ports["smtp"]) as mx, attempt, answers():
        mx.sendmail("s@world.test", ACCOUNTS, text)
    victim.server.wait(10)
    victim.come_back(again=False)
    assert victim.ledger.records["both"].states == {frozenset()}
    victim.server.stop()
    orphans = list((victim.server.data / "orphans").iterdir())
    assert [path.stat().st_nlink for path in orphans] == [2, 2]
