"""Remembered tokens: for how long, how many, and what makes them forgotten."""

from storage.token_cache import ABSENT_SECONDS, SECONDS, TokenCache
from storage.values import AccountId
from tests.support.directories import MovedClock

ADA, BOB = AccountId(1), AccountId(2)


def filled(entries: int = 10) -> tuple[TokenCache[str], MovedClock]:
    clock = MovedClock()
    cache: TokenCache[str] = TokenCache(clock, entries)
    for name, owner in ((b"a", ADA), (b"b", BOB), (b"c", ADA)):
        assert cache.put(name, name.decode(), owner, cache.generation)
    return cache, clock


def test_what_is_remembered_has_its_time() -> None:
    cache, clock = filled()
    assert cache.put(b"x", None, ADA, cache.generation)
    assert (cache.get(b"a"), cache.get(b"x"), cache.get(b"y")) == (("a",), (None,), None)
    clock.seconds += ABSENT_SECONDS
    assert (cache.get(b"a"), cache.get(b"x")) == (("a",), None)
    clock.seconds += SECONDS - ABSENT_SECONDS
    assert cache.get(b"a") is None
    assert SECONDS <= 60


def test_an_account_is_forgotten_alone() -> None:
    cache, _ = filled()
    cache.forget(ADA)
    assert [cache.get(name) for name in (b"a", b"b", b"c")] == [None, ("b",), None]
    cache.forget(BOB)
    assert len(cache) == 0


def test_what_was_looked_up_before_a_revocation_is_not_remembered() -> None:
    cache, _ = filled()
    before = cache.generation
    cache.forget(BOB)
    assert not cache.put(b"d", "d", ADA, before)
    assert cache.get(b"d") is None
    before = cache.generation
    cache.made(b"e")
    assert not cache.put(b"e", None, ADA, before)


def test_what_was_not_asked_for_goes_first() -> None:
    cache, _ = filled(3)
    assert cache.get(b"a") == ("a",)
    cache.put(b"d", "d", BOB, cache.generation)
    assert [cache.get(name) for name in (b"a", b"b", b"c", b"d")] == [("a",), None, ("c",), ("d",)]
    for number in range(100):
        cache.put(b"%d" % number, None, ADA, cache.generation)
    assert len(cache) == 6
    cache.clear()
    assert len(cache) == 0


def test_an_absent_token_that_is_made_is_there() -> None:
    cache, _ = filled()
    cache.put(b"x", None, ADA, cache.generation)
    cache.made(b"x")
    assert cache.get(b"x") is None
