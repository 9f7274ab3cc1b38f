"""What an account may send within an hour and a day, over real connections."""

import re
from pathlib import Path
from typing import Any

import pytest

from filters.sendlimit import Limits, SendLimits
from storage.directory_values import Submission
from storage.values import AccountId
from tests.smtp.test_submission import logged_in
from tests.support.directories import MovedClock
from tests.support.smtp_receiving import ADA, BEN, Client, receiving, without_id

WHEN = r"try again after \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"


def limited(**limits: int) -> dict[str, Any]:
    return {"submission": limits, "filters": {"pipeline": []}}


async def submit(client: Client, recipients: int = 1) -> str:
    """The first answer that is no success, else the last."""
    lines = [f"MAIL FROM:<{ADA}>", *(f"RCPT TO:<x{n}@far.test>" for n in range(recipients))]
    for line in lines:
        answer = await client.say(line)
        if answer[:3] != "250":
            return answer
    await client.say("DATA")
    return await client.say("Subject: x\r\n\r\nhello\r\n.")


@pytest.mark.parametrize("span", ["hour", "day"])
async def test_messages(tmp_path: Path, span: str) -> None:
    async with receiving(tmp_path, **limited(**{f"messages_per_{span}": 2})) as running:
        client = await running.client("submissions")
        await logged_in(client)
        for _ in range(2):
            assert (await submit(client))[:3] == "250"
        answer = without_id(await submit(client))
        article = "an hour" if span == "hour" else "a day"
        assert re.fullmatch(rf"450 4\.7\.1 You may send 2 messages {article}; {WHEN}", answer)
        other = await running.client("submissions")
        await logged_in(other)
        assert (await submit(other))[:3] == "450"
        ben = await running.client("submissions")
        await logged_in(ben, BEN)
        assert (await ben.say(f"MAIL FROM:<{BEN}>"))[:3] == "250"
        more: Any = {f"messages_per_{span}": 3}
        await running.directory.set_submission(ADA, Submission(**more))
        assert (await submit(client))[:3] == "250"
        assert (await submit(client))[:3] == "450"
        assert len(running.store.delivered) == 3


async def test_recipients(tmp_path: Path) -> None:
    async with receiving(tmp_path, **limited(recipients_per_hour=5)) as running:
        client = await running.client("submissions")
        await logged_in(client)
        assert (await submit(client, 3))[:3] == "250"
        answer = without_id(await submit(client, 3))
        assert re.fullmatch(rf"452 4\.5\.3 You may send 5 recipients an hour; {WHEN}", answer)
        await client.say("DATA")
        assert (await client.say("Subject: to two of them\r\n\r\nhello\r\n."))[:3] == "250"
        assert (await submit(client))[:3] == "450"
        await running.directory.set_submission(ADA, Submission(recipients_per_hour=0))
        assert (await submit(client, 20))[:3] == "250"


async def test_more_recipients_than_ever(tmp_path: Path) -> None:
    async with receiving(tmp_path, **limited(recipients_per_day=2)) as running:
        client = await running.client("submissions")
        await logged_in(client)
        assert without_id(await submit(client, 3)) == "452 4.5.3 You may send 2 recipients a day"


async def test_what_waited_on_two_connections_counts(tmp_path: Path) -> None:
    async with receiving(tmp_path, **limited(messages_per_hour=1)) as running:
        clients = [await running.client("submissions") for _ in range(2)]
        for client in clients:
            await logged_in(client)
            for line in (f"MAIL FROM:<{ADA}>", f"RCPT TO:<{BEN}>", "DATA"):
                assert (await client.say(line))[:1] in "23"
        answers = [await client.say("Subject: x\r\n\r\nhello\r\n.") for client in clients]
        assert [answer[:3] for answer in answers] == ["250", "450"]


async def test_refused_mail_does_not_count(tmp_path: Path) -> None:
    async with receiving(tmp_path, **limited(messages_per_hour=1)) as running:
        client = await running.client("submissions")
        await logged_in(client)
        for line in (f"MAIL FROM:<{ADA}>", f"RCPT TO:<{BEN}>", "DATA"):
            await client.say(line)
        assert (await client.say("From: x@bank.test\r\n\r\nhello\r\n."))[:3] == "550"
        assert (await submit(client))[:3] == "250"
        assert (await submit(client))[:3] == "450"


def test_time_gives_back() -> None:
    clock, one = MovedClock(), AccountId(1)
    sent, limits = SendLimits(clock), Limits(messages_per_hour=2, recipients_per_day=100)
    for _ in range(2):
        assert sent.reached(one, limits, 10) is None
        sent.count(one, 10)
        clock.seconds += 600
    reached = sent.reached(one, limits, 1)
    assert reached is not None and 2400 <= reached.seconds <= 2460
    clock.seconds += reached.seconds
    assert sent.reached(one, limits, 1) is None
    sent.count(one, 1)
    reached = sent.reached(one, limits, 90)
    assert reached is not None and reached.what == "100 recipients a day"
    assert 86_000 - 3600 < reached.seconds < 87_400
    clock.seconds += 87_400
    assert sent.reached(one, limits, 100) is None


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    limits = limited(messages_per_hour=3, recipients_per_day=10)
    async with receiving(tmp_path, **limits) as running:
        client = await running.client("submissions")
        await logged_in(client)
        assert (await submit(client, 6))[:3] == "250"
        assert (await submit(client))[:3] == "250"
    async with receiving(tmp_path, **limits) as running:
        client = await running.client("submissions")
        await logged_in(client)
        assert (await submit(client, 4))[:3] == "452"
        await client.say("RSET")
        assert (await submit(client))[:3] == "250"
        assert "3 messages an hour" in await submit(client)
