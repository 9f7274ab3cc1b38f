"""What users call spam counts for sender and text, a little, and of one account once a week."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from filters.spam.fuzzy import sketch
from filters.spam.hearsay import AGAIN, EACH, Hearsay, Witness, witness
from net.threads import Offload
from storage.history_database import HistoryDatabase
from storage.reputation import About, Reputation
from storage.spam_values import Label
from storage.values import AccountId
from tests.support.directories import MovedClock
from tests.support.spam_cases import LONG, message

HOST = "mx.home.test"
ADA, BEN = AccountId(1), AccountId(2)


@asynccontextmanager
async def hearing(folder: Path) -> AsyncIterator[tuple[Hearsay, Reputation, MovedClock]]:
    clock, offload = MovedClock(), Offload()
    history = await HistoryDatabase.open("sqlite", folder, offload)
    reputation = Reputation(history, clock)
    yield Hearsay(reputation, clock), reputation, clock
    await reputation.close()
    await history.close()
    offload.close()


def stored(results: str) -> bytes:
    above = f"Authentication-Results: {results}\nX-Spam-Status: No, score=0\n"
    return (above.encode() + message(LONG)).replace(b"\n", b"\r\n")


def test_who_is_proved_is_read_from_our_own_field() -> None:
    proved = witness(stored(f"{HOST}; dkim=pass header.d=mail.sender.test"), HOST)
    assert proved == Witness("ann@sender.test", True, sketch(LONG))
    for results in (
        f"{HOST}; dkim=fail header.d=sender.test",
        f"{HOST}; dkim=pass header.d=other.test; spf=pass smtp.mailfrom=x@other.test",
        "mx.liar.test; dkim=pass header.d=sender.test",
        f"{HOST}; none",
    ):
        assert not witness(stored(results), HOST).proved
    assert witness(stored(f"{HOST}; spf=pass smtp.mailfrom=ann@sender.test"), HOST).proved
    assert witness(b"", HOST) == Witness("", False, ())
    # under the name that mail has a standing by when it comes
    german = "From: Ann@B\u00fccher.test\r\n\r\n".encode()
    assert witness(german, HOST).author == "ann@xn--bcher-kva.test"


async def test_an_account_counts_once_a_week_and_for_no_domain(tmp_path: Path) -> None:
    async with hearing(tmp_path) as (hearsay, reputation, clock):
        letter = Witness("ann@sender.test", True, ("0:a", "3:b"))
        asked = [
            (About.SENDER, "ann@sender.test"),
            (About.DOMAIN, "sender.test"),
            (About.BODY, "0:a"),
        ]
        for _ in range(50):
            hearsay.say(ADA, Label.SPAM, letter)
        sender, domain, body = await reputation.of(asked)
        assert (sender.bad, domain.bad, body.bad) == (1.0, 0.0, 1.0)
        hearsay.say(BEN, Label.SPAM, letter)
        hearsay.say(ADA, Label.HAM, letter)
        hearsay.say(ADA, Label.NONE, letter)
        sender, _, body = await reputation.of(asked)
        assert (sender.bad, sender.good, body.bad) == (2.0, 1.0, 2.0)
        clock.seconds += AGAIN + 1
        hearsay.say(ADA, Label.SPAM, letter)
        (sender,) = await reputation.of(asked[:1])
        assert 2.0 < sender.bad < 3.0


async def test_an_account_can_make_nobody_forget_what_it_has_said(tmp_path: Path) -> None:
    async with hearing(tmp_path) as (hearsay, reputation, clock):
        victim = Witness("ann@sender.test", True, ())
        asked = [(About.SENDER, victim.author)]
        hearsay.say(ADA, Label.SPAM, victim)
        for number in range(2 * EACH):
            hearsay.say(ADA, Label.SPAM, Witness(f"x{number}@sender.test", True, ()))
        hearsay.say(ADA, Label.SPAM, victim)
        (sender,) = await reputation.of(asked)
        assert sender.bad == 1.0
        heard = [(About.SENDER, f"x{number}@sender.test") for number in range(2 * EACH)]
        assert sum(one.bad for one in await reputation.of(heard)) == EACH - 1
        clock.seconds += AGAIN + 1
        hearsay.say(ADA, Label.SPAM, Witness("y@sender.test", True, ()))
        (other,) = await reputation.of([(About.SENDER, "y@sender.test")])
        assert other.bad == 1.0
