"""Policies and levels of other domains in the index, on both databases."""

from dataclasses import replace
from pathlib import Path

from sqlalchemy import create_engine, inspect, text

from storage.migrations.apply import migrate
from storage.store import Store
from storage.transport_values import KeptPolicy, KnownLevel, TlsLevel

KEPT = KeptPolicy("a.test", "one", "enforce", 1000, ("mx.a.test", "*.b.test"), 5_000.0)
KNOWN = KnownLevel("a.test", TlsLevel.ENCRYPTED, "mx.a.test", 5_000.0)


async def test_a_policy_is_replaced_and_found(store: Store) -> None:
    assert await store.transport.policy("a.test") is None
    await store.transport.keep_policy(KEPT)
    assert await store.transport.policy("a.test") == KEPT
    fresh = replace(KEPT, record="two", mode="none", mx=(), fetched_at=6_000.0)
    await store.transport.keep_policy(fresh)
    assert await store.transport.policy("a.test") == fresh
    assert await store.transport.policy("b.test") is None


async def test_policies_that_end(store: Store) -> None:
    for n, domain in enumerate(("a.test", "b.test", "c.test")):
        kept = replace(KEPT, domain=domain, fetched_at=5_000.0 + 100 * n)
        await store.transport.keep_policy(kept)
    assert await store.transport.policies_ending(5_749.0, 10) == []
    ending = await store.transport.policies_ending(5_860.0, 10)
    assert [each.domain for each in ending] == ["a.test", "b.test"]
    assert len(await store.transport.policies_ending(5_860.0, 1)) == 1
    assert await store.transport.expire_policies(6_050.0) == 1
    assert await store.transport.policy("a.test") is None
    assert await store.transport.policies_ending(6_150.0, 10) != []


async def test_levels(store: Store) -> None:
    assert await store.transport.level("a.test") is None
    await store.transport.keep_levels([KNOWN, replace(KNOWN, domain="b.test")])
    best = replace(KNOWN, level=TlsLevel.AUTHENTICATED, seen_at=6_000.0)
    await store.transport.keep_levels([best])
    assert await store.transport.level("a.test") == best
    assert await store.transport.forget_level("a.test")
    assert not await store.transport.forget_level("a.test")
    assert await store.transport.level("b.test") is not None


def test_an_older_index_gets_the_tables(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'index.db'}")
    with engine.begin() as conn:
        migrate(conn)
        for table in ("sts_policy", "tls_level"):
            conn.execute(text(f"DROP TABLE {table}"))
        conn.execute(text("DELETE FROM schema_version WHERE version >= 5"))
        migrate(conn)
        assert {"sts_policy", "tls_level"} <= set(inspect(conn).get_table_names())
    engine.dispose()
