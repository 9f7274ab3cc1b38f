"""What an outside provider publishes: read with its faults, not asked again at once when away."""

import json
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey

from auth.oidc.documents import AWAY, Documents, OutsideError
from net.https import HttpsClient, HttpsError, HttpsResponse
from tests.support.directories import MovedClock

ISSUER = "https://login.example.test"
GOOD = RSAKey.generate_key(2048, {"kid": "good", "use": "sig"}, private=True)
METADATA = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/authorize",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/keys",
}


class Site(HttpsClient):
    """Answers by path; None is away."""

    def __init__(self, **changed: Any) -> None:
        self.metadata: dict[str, Any] | None = {**METADATA, **changed}
        self.keys: Any = [GOOD.as_dict(private=False)]
        self.asked = 0

    async def get(self, host: str, path: str, **_more: Any) -> HttpsResponse:
        assert ISSUER.endswith(host)
        self.asked += 1
        found = {"keys": self.keys} if path == "/keys" else self.metadata
        if found is None:
            raise HttpsError("away")
        return HttpsResponse(200, "application/json", json.dumps(found).encode())


async def test_a_key_that_cannot_be_read_hides_no_other() -> None:
    site, curve = Site(), ECKey.generate_key("P-256", {"kid": "curve"}, private=True)
    site.keys += [
        {"kty": "EC", "crv": "brainpoolP256r1", "x": "AA", "y": "AA", "kid": "odd"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "no-point"},
        {"kty": "RSA", "kid": "empty"},
        {"kty": "RSA", "n": 1, "e": [], "kid": "types"},
        {"kty": ["RSA"]},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        {**GOOD.as_dict(private=False), "use": "enc", "kid": "enc"},
        "text",
        curve.as_dict(private=False),
    ]
    keys = await Documents(ISSUER, site, MovedClock()).keys()
    assert [key.kid for key in keys] == ["good", "curve"]


@pytest.mark.parametrize("keys", [None, 1, "x", {}, []], ids=str)
async def test_keys_that_are_no_list_are_none(keys: Any) -> None:
    site = Site()
    site.keys = keys
    assert not await Documents(ISSUER, site, MovedClock()).keys()


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"issuer": f"{ISSUER}/"}, id="issuer"),
        pytest.param({"authorization_endpoint": "javascript:x"}, id="script"),
        pytest.param({"token_endpoint": "http://login.example.test/"}, id="plain"),
        pytest.param({"jwks_uri": None}, id="none"),
        pytest.param({"jwks_uri": 1}, id="number"),
    ],
)
async def test_metadata_that_is_not_believed(changed: dict[str, Any]) -> None:
    with pytest.raises(OutsideError):
        await Documents(ISSUER, Site(**changed), MovedClock()).metadata()


async def test_a_provider_that_is_away_is_asked_now_and_then() -> None:
    site, clock = Site(), MovedClock()
    documents = Documents(ISSUER, site, clock)
    there, site.metadata = site.metadata, None
    for _ in range(5):
        with pytest.raises(OutsideError, match="away"):
            await documents.metadata()
    assert site.asked == 1
    site.metadata = there
    clock.seconds += AWAY
    assert (await documents.metadata())["issuer"] == ISSUER
