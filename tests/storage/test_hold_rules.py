"""Hold rules: which recipients they mean, and that rows and files say why a recipient is held."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, select, text

from net.threads import Offload
from storage import queue_claims, queue_jobs
from storage.directory_values import Absent, AlreadyExists
from storage.hold_rules import HoldRule, _Meant
from storage.migrations.apply import migrate
from storage.queue_file import read_queue_file
from storage.queue_filter import QueueFilter
from storage.schema import queue_recipient
from storage.values import AccountId, Hold, QueuedRecipient
from tests.support.directories import make_settings, open_directory, own_database
from tests.support.queue_harness import ManualClock, QueueHarness, claim_one

TO = [QueuedRecipient("A@One.test"), QueuedRecipient("b@two.test"), QueuedRecipient("c@one.test")]


def rule(reason: str = "", **which: Any) -> HoldRule:
    return HoldRule(0, QueueFilter.of(**which), reason=reason, by="op")


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_rules_are_kept_numbered_and_found(kind: str, tmp_path: Path) -> None:
    async with own_database(kind) as url:
        settings = make_settings(tmp_path, url)
        async with open_directory(settings) as directory:
            rules = directory.hold_rules
            domain = await rules.add(rule("why", domain="ONE.test"))
            box = await rules.add(rule(recipient="a@one.test"))
            with pytest.raises(AlreadyExists, match=f"rule {domain.id} "):
                await rules.add(rule("other words", domain="one.test"))
            marked = rules.marked("x@y.test", None, TO)
            assert [one.hold and one.hold.rule for one in marked] == [domain.id, None, domain.id]
            assert marked[0].hold is not None
            assert (marked[0].hold.by, marked[0].hold.reason) == ("op", "why")
            await rules.delete(domain.id)
            with pytest.raises(Absent):
                await rules.delete(domain.id)
        async with open_directory(settings) as directory:
            rules = directory.hold_rules
            assert rules.listed() == [box]
            third = await rules.add(rule(sender="<>"))
            assert third.id > box.id
            assert [one.hold is not None for one in rules.marked("", None, TO)] == [True] * 3
            found = rules.marked("me@here.test", AccountId(3), TO)
            assert [one.hold is not None for one in found] == [True, False, False]


FILTERS = st.builds(
    QueueFilter,
    sender=st.none(),
    recipient=st.sampled_from([None, "a@one.test", "b@two.test"]),
    domain=st.sampled_from([None, "one.test", "two.test"]),
)


@given(st.lists(FILTERS, min_size=1, max_size=6), st.sampled_from(TO))
def test_the_oldest_rule_that_fits_is_found(
    filters: list[QueueFilter], to: QueuedRecipient
) -> None:
    rules = [HoldRule(number, which) for number, which in enumerate(filters, 1)]
    fitting = [one for one in rules if one.which.fits_recipient(to.address)]
    assert _Meant(rules).rule_for(to.address) == (fitting[0] if fitting else None)


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[QueueHarness]:
    offload = Offload(processes=1)
    harness = QueueHarness(tmp_path, ManualClock(), offload)
    yield harness
    harness.close()
    offload.close()


async def test_rows_and_file_say_why_until_the_release(harness: QueueHarness) -> None:
    why = Hold(harness.clock.now(), "op", 4, "täter")
    queue = await harness.put(QueuedRecipient("a@one.test", hold=why), "b@one.test")
    claim = await claim_one(harness.queue)
    assert claim is not None
    assert [one.address for one in claim.recipients] == ["b@one.test"]
    shown = await harness.queue.show(queue)
    assert shown is not None
    assert [(one.state, one.hold) for one in shown.recipients] == [("held", why), ("queued", None)]

    path = harness.folder / f"{queue}.msg"
    before = await harness.offload.disk(read_queue_file, path)
    assert await harness.queue.release(queue) == 1
    after = await harness.offload.disk(read_queue_file, path)
    for file, state in ((before, "held"), (after, "queued")):
        await harness.submit(lambda conn: queue_claims.forget(conn, queue))
        await harness.submit(partial(queue_jobs.insert_file, file=file))
        shown = await harness.queue.show(queue)
        assert shown is not None
        assert [one.state for one in shown.recipients] == [state, "queued"]


async def test_a_hold_by_command_names_who_gave_it(harness: QueueHarness) -> None:
    queue = await harness.put("a@one.test")
    await harness.queue.hold(queue, "op")
    shown = await harness.queue.show(queue)
    assert shown is not None
    assert shown.recipients[0].hold == Hold(harness.clock.now(), "op")


async def test_the_column_is_added_to_a_table_of_an_older_version(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'index.db'}")
    with engine.begin() as conn:
        migrate(conn)
        conn.execute(text("ALTER TABLE queue_recipient DROP COLUMN hold"))
        row = "(queue, position, address, domain) VALUES (5, 0, 'a@b.test', 'b.test')"
        conn.execute(text(f"INSERT INTO queue_recipient {row}"))
        conn.execute(text("DELETE FROM schema_version WHERE version >= 7"))
        migrate(conn)
        assert conn.execute(select(queue_recipient.c.hold)).scalar_one() == ""
    engine.dispose()
