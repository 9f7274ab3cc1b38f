"""ID and access tokens of an outside provider: which are taken, and which are not."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from auth.oidc.documents import Documents, OutsideError
from auth.oidc.outside import SKEW, Outside
from config.settings import Settings
from net.https import HttpsClient
from storage.directory import Directory
from tests.support.directories import MovedClock, make_settings, open_directory

ISSUER = "https://login.example.test"
ADA = "ada@example.test"
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}, private=True)
OTHER = RSAKey.generate_key(2048, {"kid": "one", "use": "sig"}, private=True)


class Published(Documents):
    """The provider's documents, as they came before."""

    def __init__(self, clock: MovedClock) -> None:
        self.issuer, self.fetches = ISSUER, 0
        del clock

    async def keys(self, *, fresh: bool = False) -> KeySet:
        self.fetches += fresh
        return KeySet([RSAKey.import_key(KEY.as_dict(private=False))])


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[tuple[Outside, Directory, MovedClock]]:
    clock = MovedClock()
    settings = make_settings(tmp_path)
    oidc = {"issuer": ISSUER, "client_id": "mail", "access_tokens": "jwt", "audience": "imap"}
    settings = settings.model_copy(update={"oidc": type(settings.oidc).model_validate(oidc)})
    async with open_directory(settings, clock) as directory:
        await directory.add_account(ADA, "hash")
        yield _outside(settings, directory, clock), directory, clock


def _outside(settings: Settings, directory: Directory, clock: MovedClock) -> Outside:
    async def make(address: str, name: str) -> Any:
        raise AssertionError(f"{address} {name} is not to be made")

    made = Outside(settings, directory, HttpsClient(None, None, None), clock, make)  # type: ignore[arg-type]
    made._documents = Published(clock)
    return made


def claims(clock: MovedClock, **changed: Any) -> dict[str, Any]:
    now = int(clock.now())
    found = {"iss": ISSUER, "aud": "mail", "sub": "1", "iat": now, "exp": now + 60}
    found |= {"email": ADA, "email_verified": True, **changed}
    return {name: value for name, value in found.items() if value is not None}


def signed(body: dict[str, Any], key: Any = KEY, **header: Any) -> str:
    made = {"alg": "RS256", "kid": "one", **header}
    return jwt.encode(made, body, key, algorithms=[made["alg"]])


async def test_a_good_token_names_its_account(
    site: tuple[Outside, Directory, MovedClock],
) -> None:
    outside, _, clock = site
    read = await outside.claims(signed(claims(clock)), "mail")
    account = await outside.account(read)
    assert account is not None
    assert account.address == ADA
    many = claims(clock, aud=["mail", "other"], azp="mail")
    assert await outside.claims(signed(many), "mail")
    skewed = claims(clock, exp=int(clock.now()) - 30, iat=int(clock.now()) + 30)
    assert await outside.claims(signed(skewed), "mail")


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"iss": "https://evil.test"}, id="issuer"),
        pytest.param({"iss": f"{ISSUER}/"}, id="slash"),
        pytest.param({"aud": "other"}, id="audience"),
        pytest.param({"aud": ["mail", "other"]}, id="no-azp"),
        pytest.param({"aud": ["mail", "other"], "azp": "other"}, id="azp"),
        pytest.param({"exp": 1}, id="over"),
        pytest.param({"exp": None}, id="no-end"),
        pytest.param({"exp": "never"}, id="end"),
        pytest.param({"exp": float("nan")}, id="no-number"),
        pytest.param({"iat": 4_000_000_000}, id="future"),
        pytest.param({"nbf": 4_000_000_000}, id="not-yet"),
    ],
)
async def test_claims_that_are_refused(
    site: tuple[Outside, Directory, MovedClock], changed: dict[str, Any]
) -> None:
    outside, _, clock = site
    with pytest.raises(OutsideError):
        await outside.claims(signed(claims(clock, **changed)), "mail")


async def test_signatures_that_are_refused(site: tuple[Outside, Directory, MovedClock]) -> None:
    outside, _, clock = site
    body = claims(clock)
    shared = OctKey.import_key("a secret that is shared with nobody here")
    good = signed(body)
    none = "eyJhbGciOiJub25lIn0." + good.split(".")[1] + "."
    forged = (
        signed(body, OTHER),
        signed(body, shared, alg="HS256"),
        none,
        good[:-4] + "AAAA",
        good + "x" * 20_000,
        "a.b.c",
        "",
    )
    for token in forged:
        with pytest.raises(OutsideError):
            await outside.claims(token, "mail")
    assert await outside.claims(good, "mail")


async def test_an_address_counts_when_it_is_verified(
    site: tuple[Outside, Directory, MovedClock],
) -> None:
    outside, directory, clock = site
    for changed in ({"email_verified": False}, {"email_verified": "true"}, {"email": None}):
        assert await outside.account(claims(clock, **changed)) is None
    assert await outside.account(claims(clock, email="nobody@example.test")) is None
    await directory.set_enabled(ADA, False)
    assert await outside.account(claims(clock)) is None


async def test_access_tokens_are_told_from_others(
    site: tuple[Outside, Directory, MovedClock],
) -> None:
    outside, _, clock = site
    body = claims(clock, aud="imap")
    found = await outside.of_access_token(signed(body, typ="at+jwt"))
    assert found is not None
    account, until = found
    assert (account.address, until) == (ADA, body["exp"] + SKEW)
    assert await outside.of_access_token(signed(body)) is None
    assert await outside.of_access_token(signed(claims(clock), typ="at+jwt")) is None
    assert await outside.of_access_token("a.b.c") is None


class Answering(Published):
    """Says that answers name the issuer (RFC 9207)."""

    async def metadata(self) -> dict[str, Any]:
        where = {"authorization_endpoint": f"{ISSUER}/a", "token_endpoint": f"{ISSUER}/t"}
        return {**where, "authorization_response_iss_parameter_supported": True}


async def test_an_answer_names_its_issuer_where_the_provider_says_that_it_does(
    site: tuple[Outside, Directory, MovedClock],
) -> None:
    outside, _, clock = site
    outside._documents = Answering(clock)
    for named in ({}, {"iss": "https://evil.test"}):
        asked = await outside.begin("browser", "/")
        state = parse_qs(urlsplit(asked).query)["state"][0]
        with pytest.raises(OutsideError, match="another issuer"):
            await outside.finish("browser", {"state": state, "code": "x", **named})
