"""Full, read-only and failing disks: temporary answers, nothing lost, a restart only after EIO."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.server import until
from tests.system.disks import Fault, Faults, grow, tmpfs
from tests.system.ledger import look
from tests.system.load import A, flagged, put, resend
from tests.system.peers import Refused, ServerGone, answers, imap, quoted, ready, smtp
from tests.system.victim import Victim, prepared

HOME = (A, "INBOX")


@pytest.fixture
def faults(victim: Victim, tmp_path: Path) -> Iterator[Faults]:
    """Installed beneath the victim, which is not started."""
    made = Faults(tmp_path, victim.server.folder)
    victim.server.environment.update(made.environment)
    yield made
    made.close()


@pytest.fixture
def small(template: Path, tmp_path: Path) -> Iterator[Victim]:
    """On a file system of 12 MB."""
    with tmpfs(tmp_path / "disk", "12m") as disk, prepared(template, disk / "server") as victim:
        yield victim


def deliver(victim: Victim, token: str, size: int = 600) -> None:
    """Raises Refused with the answer."""
    text = victim.ledger.new(token, size)
    attempt = victim.ledger.attempt([token], put(HOME))
    with smtp(victim.ports["smtp"]) as mx, attempt, answers():
        mx.sendmail("s@world.test", [A], text)


def append(victim: Victim, token: str, size: int = 600) -> None:
    text = victim.ledger.new(token, size)
    attempt = victim.ledger.attempt([token], put(HOME))
    with imap(victim.ports["imap"], A) as client, attempt, answers():
        ready(client.append("INBOX", "", "", text))


def submit(victim: Victim, token: str) -> None:
    text = victim.ledger.new(token)
    attempt = victim.ledger.attempt([token], lambda state: state, outside=True)
    with smtp(victim.ports["submission"], A) as client, attempt, answers():
        client.sendmail(A, [f"{token}@outside.test"], text)


def store(victim: Victim, token: str, flag: str) -> None:
    """By the token's place in INBOX, which must have been looked up before."""
    attempt = victim.ledger.attempt([token], flagged(HOME, flag, True))
    with imap(victim.ports["imap"], A) as client:
        ready(client.select(quoted("INBOX")))
        with attempt, answers():
            ready(client.uid("STORE", str(victim.ledger.where[HOME, token]), "+FLAGS", f"({flag})"))


def refused(call: object, *arguments: object) -> str:
    """The answer of a call that must be refused."""
    assert callable(call)
    with pytest.raises(Refused) as caught:
        call(*arguments)
    return str(caught.value)


def works_again(victim: Victim, suffix: str) -> None:
    """Everything is taken again, the ledger holds, and the queue is worked on."""
    deliver(victim, f"delivered-{suffix}")
    deliver(victim, f"large-{suffix}", 1_500_000)
    append(victim, f"appended-{suffix}")
    submit(victim, f"submitted-{suffix}")
    victim.check_ledger()
    victim.control("queue.retry")
    until(lambda: all(row["state"] == "deferred" for row in victim.control("queue.list")))


def refuses_all(victim: Victim, smtp_answer: str) -> None:
    """Deliveries of every size, submission and APPEND."""
    for size in (600, 200_000, 2_000_000):
        assert refused(deliver, victim, f"refused-{size}", size).startswith(smtp_answer)
    assert refused(submit, victim, "refused-outside").startswith(smtp_answer)
    for size in (600, 2_000_000):
        assert refused(append, victim, f"refused-append-{size}", size).startswith("NO")


def number_of(victim: Victim) -> int:
    assert victim.server.process is not None
    return victim.server.process.pid


def test_a_disk_that_mail_fills_refuses_and_goes_on_when_space_returns(small: Victim) -> None:
    small.start()
    number = number_of(small)
    deliver(small, "before")
    submit(small, "queued-before")
    with pytest.raises(Refused) as caught:
        for count in range(1000):
            deliver(small, f"filling-{count}", 100_000)
    assert str(caught.value).startswith("452 b'4.3.1"), caught.value
    fill(small.server.folder.parent / "filler")
    refuses_all(small, "452 b'4.3.1")
    assert "before" in {one.token for one in look(small.ports["imap"], [A])}  # reading goes on
    (queued,) = small.control("queue.list")
    assert queued["recipients"][0]["address"] == "queued-before@outside.test"
    assert small.control("queue.show", id=queued["id"])["id"] == queued["id"]
    (small.server.folder.parent / "filler").unlink()
    grow(small.server.folder.parent, "64m")
    works_again(small, "later")
    assert number_of(small) == number
    small.server.stop()
    small.start()
    small.check_ledger()
    small.server.stop()


def fill(path: Path) -> None:
    """Takes the last byte of the disk."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096):
            with suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass


def test_nothing_can_be_written_for_want_of_space(victim: Victim, faults: Faults) -> None:
    """By the library: also where nobody may mount."""
    victim.start()
    number = number_of(victim)
    deliver(victim, "before")
    append(victim, "appended-before")
    victim.check_ledger()
    faults.set(Fault.FULL)
    refuses_all(victim, "452 b'4.3.1")
    assert refused(store, victim, "before", "\\Seen").startswith("NO")
    with imap(victim.ports["imap"], A) as client:  # reading goes on
        assert ready(client.select("INBOX")) == [b"2"]
        assert len(ready(client.fetch("1:*", "(UID BODY.PEEK[])"))) >= 2
    faults.set(Fault.NONE)
    store(victim, "before", "\\Flagged")
    works_again(victim, "later")
    assert number_of(victim) == number
    victim.server.stop()
    victim.start()
    victim.check_ledger()
    victim.server.stop()


@pytest.mark.parametrize("fault", [Fault.FLUSH, Fault.INDEX_FLUSH])
def test_a_failed_flush_stops_the_server_and_the_next_start_serves(
    victim: Victim, faults: Faults, fault: Fault
) -> None:
    """What was acknowledged before stays; the message at hand gets 451, or no answer at all."""
    victim.start()
    for count in range(5):
        deliver(victim, f"before-{count}")
    append(victim, "appended-before")
    faults.set(fault)
    answer = open_end(victim, "failing")
    assert answer.startswith("451 b'4.3.0") or answer == "gone", answer
    assert victim.server.wait(15) == 1
    assert any("the next start copies the index afresh" in line for line in victim.server.log)
    faults.set(Fault.NONE)
    victim.start()
    resend(victim.ledger, victim.ports)
    victim.check_ledger()
    works_again(victim, "later")
    victim.server.stop()


def open_end(victim: Victim, token: str) -> str:
    """The answer to a delivery after which nobody can know whether it stands."""
    text = victim.ledger.new(token)
    answer = "gone"
    attempt = victim.ledger.attempt([token], put(HOME))
    with suppress(ServerGone), attempt, smtp(victim.ports["smtp"]) as mx:
        try:
            with answers():
                mx.sendmail("s@world.test", [A], text)
        except Refused as refused:
            answer = str(refused)
            raise ServerGone(answer) from refused
        answer = "250"
    return answer


def test_a_read_only_disk_refuses_or_stops_and_the_next_start_says_why(
    victim: Victim, faults: Faults
) -> None:
    victim.start()
    deliver(victim, "before")
    append(victim, "appended-before")
    victim.check_ledger()
    faults.set(Fault.READ_ONLY)
    assert refused(deliver, victim, "refused").startswith("451 b'4.3.0")
    with pytest.raises((Refused, ServerGone)):
        store(victim, "before", "\\Seen")
    assert victim.server.wait(15) == 1
    assert any(line.startswith("mailserver: the store failed") for line in victim.server.log)
    lines = victim.server.command("serve", expect=1).stderr.splitlines()
    assert "Read-only file system" in lines[-1], lines
    faults.set(Fault.NONE)
    victim.start()
    works_again(victim, "later")
    victim.server.stop()


def test_a_start_on_a_full_disk_says_why(small: Victim) -> None:
    fill(small.server.folder.parent / "filler")
    lines = small.server.command("serve", expect=1).stderr.splitlines()
    assert "space" in lines[-1], lines
    assert not any("Traceback" in line for line in lines)
    (small.server.folder.parent / "filler").unlink()
    small.start()
    works_again(small, "later")
    small.server.stop()
