"""Keys of ID tokens: kept, renewed, and published for as long as they are needed."""

import asyncio
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from auth.oauth.keys import FILE, PUBLISHED, SigningKeys
from net.threads import Offload
from tests.support.directories import MovedClock


@pytest.fixture
def offload() -> Offload:
    return Offload()


async def test_keys_are_renewed_and_the_old_ones_still_verify(
    tmp_path: Path, offload: Offload
) -> None:
    clock, life = MovedClock(), 7 * 86_400.0
    keys = SigningKeys(tmp_path, offload, clock, life)
    first = await keys.sign({"sub": "a"})
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600
    again = SigningKeys(tmp_path, offload, clock, life)
    assert await again.published() == await keys.published()
    clock.seconds += life
    second = await keys.sign({"sub": "b"})
    published = await keys.published()
    assert len(published["keys"]) == 2
    assert not any("d" in key for key in published["keys"])
    trusted = KeySet.import_key_set(published)  # type: ignore[arg-type]
    for token in (first, second):
        assert jwt.decode(token, trusted, algorithms=["RS256"]).claims["sub"] in ("a", "b")
    clock.seconds += life
    await keys.sign({"sub": "c"})
    assert len((await keys.published())["keys"]) == 2
    assert life > PUBLISHED
    offload.close()


async def test_two_who_sign_at_once_sign_by_keys_that_stay(
    tmp_path: Path, offload: Offload
) -> None:
    keys = SigningKeys(tmp_path, offload, MovedClock(), 7 * 86_400.0)
    signed = await asyncio.gather(*(keys.sign({"sub": "a"}) for _ in range(4)))
    later = SigningKeys(tmp_path, offload, MovedClock(), 7 * 86_400.0)
    trusted = KeySet.import_key_set(await later.published())  # type: ignore[arg-type]
    for token in signed:
        assert jwt.decode(token, trusted, algorithms=["RS256"]).claims["sub"] == "a"
    offload.close()
