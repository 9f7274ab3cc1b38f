"""OAUTHBEARER by RFC 7628's own examples, XOAUTH2 by Google's, and what breaks their rules."""

import json
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.sasl.exchange import Bearer, Challenge, Failure, Reason
from auth.sasl.oauthbearer import OAuthBearer, XOAuth2

TOKEN = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
# RFC 7628 §4.1
OF_THE_STANDARD = (
    b"bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyI"
    b"HZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB"
)
# developers.google.com/gmail/imap/xoauth2-protocol
OF_GOOGLE = (
    b"dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52YjNSbGNrQmhkS"
    b"FJoZG1semRHRXVZMjl0Q2cBAQ=="
)


@pytest.mark.parametrize("initial", [True, False], ids=["initial-response", "asked"])
def test_the_example_of_the_standard(initial: bool) -> None:
    run = OAuthBearer("")
    if not initial:
        assert run.start(None) == Challenge(b"")
    step = run.start(OF_THE_STANDARD) if initial else run.step(OF_THE_STANDARD)
    assert isinstance(step, Bearer)
    assert (step.user, step.token) == ("user@example.com", TOKEN)


@pytest.mark.parametrize("initial", [True, False], ids=["initial-response", "asked"])
def test_the_example_of_google(initial: bool) -> None:
    run = XOAuth2("")
    if not initial:
        assert run.start(None) == Challenge(b"")
    step = run.start(OF_GOOGLE) if initial else run.step(OF_GOOGLE)
    assert isinstance(step, Bearer)
    assert step.user == "someuser@example.com"
    assert step.token == "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg"
    assert json.loads(step.error)["status"] == "401"


def test_where_to_learn_of_the_issuer() -> None:
    """Only with an issuer (RFC 7628 §3.2.2)."""
    where = "https://mx.example.test/.well-known/openid-configuration"
    for discovery in (where, ""):
        step = OAuthBearer(discovery).start(OF_THE_STANDARD)
        assert isinstance(step, Bearer)
        error = json.loads(step.error)
        assert error["status"] == "invalid_token"
        assert error.get("openid-configuration", "") == discovery
        elder = XOAuth2(discovery).start(OF_GOOGLE)
        assert isinstance(elder, Bearer)
        assert json.loads(elder.error).get("openid-configuration", "") == discovery


def test_a_client_that_only_asks() -> None:
    """RFC 7628 §4.3."""
    step = OAuthBearer("").start(b64encode(b"n,a=user@example.com,\1auth=\1\1"))
    assert isinstance(step, Bearer)
    assert (step.user, step.token) == ("user@example.com", "")


@pytest.mark.parametrize(
    ("message", "user"),
    [
        (b"n,,\1auth=bearer abc\1\1", ""),
        (b"n,a=a=2Cb=3D@x.test,\1auth=BEARER  abc\1\1", "a,b=@x.test"),
        (b"y,,\1auth=Bearer abc\1\1", ""),
        (b"n,,\1host=h\1auth=Bearer abc\1other=x\1\1", ""),
    ],
)
def test_messages_that_are_right(message: bytes, user: str) -> None:
    step = OAuthBearer("").start(b64encode(message))
    assert isinstance(step, Bearer)
    assert (step.user, step.token) == (user, "abc")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"n,,",
        b"n,,\1\1",
        b"n,,\1auth=Bearer abc\1",
        b"n,,\1auth=Bearer abc\1\1more",
        b"n,,\1auth=Bearer\1\1",
        b"n,,\1auth=Bearer a b\1\1",
        b"n,,\1auth=Basic abc\1\1",
        b"n,,\1auth=Bearer abc\1auth=Bearer abc\1\1",
        b"n,,\1auth=Bearer a\0c\1\1",
        b"n,,\1auth=Bearer \xff\1\1",
        b"p=tls-unique,,\1auth=Bearer abc\1\1",
        b"user=ada\1auth=Bearer abc\1\1",
    ],
)
def test_messages_that_are_none(message: bytes) -> None:
    step = OAuthBearer("").start(b64encode(message) or b"=")
    assert isinstance(step, Failure)
    assert step.reason is Reason.MALFORMED


@pytest.mark.parametrize(
    "message",
    [b"", b"user=\1auth=Bearer abc\1\1", b"user=ada", b"n,,\1auth=Bearer abc\1\1", b"user=a\1\1"],
)
def test_messages_of_xoauth2_that_are_none(message: bytes) -> None:
    step = XOAuth2("").start(b64encode(message) or b"=")
    assert isinstance(step, Failure)


@given(st.from_regex(r"[A-Za-z0-9._~+/-]{1,60}={0,2}", fullmatch=True))
def test_any_token_comes_through(token: str) -> None:
    for run, begin in ((OAuthBearer(""), "n,,"), (XOAuth2(""), "user=ada")):
        step = run.start(b64encode(f"{begin}\1auth=Bearer {token}\1\1".encode()))
        assert isinstance(step, Bearer)
        assert step.token == token
        assert token not in repr(step) or len(token) < 12
