"""What users are told of messages that others had a part in: theirs, and nothing else."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path

import pytest

from config.logging import get_logger
from filters import explaining
from filters.asked import Asked
from filters.context import Context, Kind, Message, Peer, Recipient
from filters.delivery import Delivery
from filters.envelope import Envelope, Source, make_trace
from filters.explaining import Explainer
from filters.record import Recorder
from filters.verdict import Verdict
from mailserver.services import Services
from storage import explain as records
from storage.values import AccountId, Content
from tests.support.services import open_test_services

ADA, ZOE, ALIAS, FAR = "ada@example.test", "zoe@example.test", "team@example.test", "far@world.test"
SECRETS = ("zoe", "far@", "team", "hidden-symbol")


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with open_test_services(tmp_path) as running:
        for address in (ADA, ZOE):
            account = await running.directory.add_account(address, "x")
            await running.store.add_account(account.id)
        await running.directory.add_alias(ALIAS, [ZOE, FAR])
        yield running


async def number(services: Services, address: str) -> AccountId:
    found = await services.directory.account(address)
    assert found is not None
    return found.id


def explainer(services: Services) -> Explainer:
    return Explainer(
        *(services.explain, services.store, services.directory, services.clock),
        services.settings.spam,
    )


async def deliver(
    services: Services, *recipients: str, by: str = "", name: str = "one"
) -> tuple[str, Recorder]:
    recorder = Recorder(services.clock, services.explain)
    delivery = Delivery(
        services.settings,
        services.directory,
        services.store,
        services.clock,
        get_logger("test"),
        recorder=recorder,
    )
    data = f"From: x@y.test\r\nMessage-ID: <{name}@y.test>\r\n\r\ntext\r\n".encode()
    message = Message(Content(len(data), b"d" * 16, data=data), data[:-6])
    envelope = Envelope(
        Kind.SUBMISSION if by else Kind.MX,
        by or "x@y.test",
        tuple([Recipient(one, await services.directory.resolve(one)) for one in recipients]),
        make_trace(),
        services.clock.now(),
        Source("helo.test", "192.0.2.1", port=1234, login=by),
        account=await number(services, by) if by else None,
        asked=([Asked("greylist", "rcpt", Verdict(symbols=("hidden-symbol",)))],),
    )
    outcomes = await delivery.accept(envelope, message)
    assert all(one.ok for one in outcomes)
    return envelope.trace, recorder


async def told(services: Services, address: str, trace: str) -> str | None:
    """All that a user gets, as text."""
    found = await explainer(services).explain_for(await number(services, address), trace)
    return None if found is None else json.dumps(asdict(found), default=str)


async def test_a_recipient_does_not_see_the_others(services: Services) -> None:
    trace, recorder = await deliver(services, ADA, ZOE, ALIAS)
    recorder.attempt(trace, 1, {"recipient": FAR, "state": "delivered", "reply": "250 ok"})
    text = await told(services, ADA, trace)
    assert text is not None
    assert f"Delivered into INBOX of <{ADA}> as UID 1" in text and "192.0.2.1 port 1234" in text
    assert f"Is in INBOX of <{ADA}> as UID 1" in text
    assert [word for word in SECRETS if word in text] == []
    # Zoe's copy stands in a row of its own
    text = await told(services, ZOE, trace)
    assert text is not None
    assert f"Delivered into INBOX of <{ZOE}> as UID 1" in text
    assert ADA not in text and FAR not in text
    everything = await explainer(services).explain(trace)
    assert everything is not None
    assert {ADA, ZOE, FAR} <= set(
        json.dumps(asdict(everything), default=str).replace("<", " ").replace(">", " ").split()
    )


async def test_a_sender_sees_whom_they_named_and_not_where_that_leads(services: Services) -> None:
    trace, recorder = await deliver(services, ZOE, ALIAS, "bob@world.test", by=ADA)
    for recipient in (FAR, "bob@world.test"):
        recorder.attempt(trace, 1, {"recipient": recipient, "state": "delivered", "reply": "250"})
    text = await told(services, ADA, trace)
    assert text is not None
    assert ZOE in text and ALIAS in text and "Attempt 1 for <bob@world.test>" in text
    assert FAR not in text and "INBOX" not in text
    text = await told(services, ZOE, trace)
    assert text is not None
    assert "bob@world.test" not in text and "logged in" not in text


async def test_what_is_left_out_is_said(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (records, explaining):
        monkeypatch.setattr(module, "FOUND", 3)
    trace, recorder = await deliver(services, ADA)
    for number in range(3):
        found = await explainer(services).explain(trace)
        assert found is not None
        assert ("more" in [line.what for line in found.lines]) == (number == 2)
        recorder.attempt(trace, 1, {"recipient": FAR, "state": "deferred", "reply": "450"})


async def test_a_message_of_others_is_unknown(services: Services) -> None:
    trace, _ = await deliver(services, ZOE)
    assert await told(services, ADA, trace) is None
    assert await told(services, ADA, "0000000000000") is None
    ada, zoe = await number(services, ADA), await number(services, ZOE)
    assert await explainer(services).find_for(ada, "<one@y.test>") == []
    assert await explainer(services).find_for(zoe, "one@y.test") == [trace]
    assert await explainer(services).find_at(zoe, "INBOX", 1) == trace


async def test_a_refusal_of_mail_to_them_and_not_of_mail_to_others(services: Services) -> None:
    recorder = Recorder(services.clock, services.explain)
    for to in (ADA, ZOE):
        context = Context(Kind.MX, Peer("192.0.2.9"), "c9", trace=make_trace())
        recorder.refused(
            *(context, "c9.1", "rcpt", (550, "5.7.1", f"no mail for {to}")),
            sender="x@y.test",
            recipient=to,
            symbols=(),
        )
        mine = await told(services, ADA, context.trace)
        assert (mine is not None) == (to == ADA)
