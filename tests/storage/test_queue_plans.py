"""What the queue asks of the index must not depend on how much waits: no statement may scan."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text

from storage import queue_batch, queue_recover, queue_scan
from storage.queue_claims import Lease
from storage.queue_jobs import domain_of
from storage.schema import metadata, queue_recipient
from storage.statements import Query
from tests.support.full_queue import fill

STATEMENTS = [
    (f"{module.__name__}.{name}", value)
    for module in (queue_batch, queue_scan)
    for name, value in vars(module).items()
    if isinstance(value, Query)
]


@pytest.fixture
def conn() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    metadata.create_all(engine)
    with engine.begin() as conn:
        yield conn
    engine.dispose()


@pytest.mark.parametrize(("name", "query"), STATEMENTS)
def test_statement_finds_rows_by_an_index(conn: Connection, name: str, query: Query) -> None:
    values = {"some": "[1]", "at": 1.0, "there": "x", "domain": "x", "lane": "y", "most": 1}
    sql, parameters = query.text(conn.dialect, values)
    rows = conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", parameters).all()
    steps = [row[3] for row in rows]
    assert any("queue_" in step for step in steps)
    assert not [step for step in steps if step.startswith("SCAN queue_")], name
    by_list = "json_each" in sql
    assert not by_list or "PRIMARY KEY" in steps[0], steps


def test_leases_of_a_killed_process_are_found_by_their_own_index(conn: Connection) -> None:
    sql = "EXPLAIN QUERY PLAN SELECT queue FROM queue_recipient WHERE lease_until IS NOT NULL"
    (step,) = [row[3] for row in conn.execute(text(sql))]
    assert "queue_recipient_leased" in step
    fill(conn, 100, now=1000.0)
    assert queue_recover.leased(conn) == {}


def test_walk_over_a_long_queue_names_what_is_due_and_claims_take_it(conn: Connection) -> None:
    now = 1000.0
    fill(conn, 3000, now=now, due_every=10)
    rows = queue_scan.DUE.run(conn, at=0.0, domain="", lane="", now=now, most=1000)
    lanes = queue_scan.piece_of(rows, 1000).lanes
    wanted = [queue_batch.Wanted(due.domain, due.lane, 10) for due in lanes]
    lease = Lease(Path("x"), "me", now, now + 900)
    claims = [one for found in queue_batch.claim_many(conn, lease, wanted, 100) for one in found]
    assert len(claims) == 300
    assert all(domain_of(c.recipients[0].address) == c.recipients[0].domain for c in claims)
    assert len(queue_recover.leased(conn)) == 300
    held = conn.execute(queue_recipient.select().where(queue_recipient.c.lease_owner == "me"))
    assert len(held.all()) == 300
