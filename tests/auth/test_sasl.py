"""PLAIN and LOGIN octet for octet, and what breaks their rules."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auth.sasl import registry
from auth.sasl.channel import Channel, Supported
from auth.sasl.exchange import MAX_RESPONSE, Challenge, Credentials, Exchange, Failure, Reason, Step
from auth.sasl.registry import UnknownMechanism

PASSWORDS = ("SCRAM-SHA-256", "PLAIN", "LOGIN")
SAFE, UNSAFE = Channel(True), Channel(False)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


def exchange(name: str) -> Exchange:
    return registry.exchange(name, SAFE, Supported())


def plain(authzid: str, user: str, password: str) -> bytes:
    return b64encode(f"{authzid}\0{user}\0{password}".encode())


def reason(step: Step) -> Reason:
    assert isinstance(step, Failure)
    return step.reason


def test_plain_with_and_without_an_initial_response() -> None:
    wanted = Credentials("ada", "pass")
    assert exchange("PLAIN").start(b"AGFkYQBwYXNz") == wanted
    waiting = exchange("plain")
    assert waiting.start(None) == Challenge(b"")
    assert waiting.step(b"AGFkYQBwYXNz") == wanted


def test_login_challenges_are_exact() -> None:
    waiting = exchange("LOGIN")
    first = waiting.start(None)
    assert isinstance(first, Challenge)
    assert first.wire == b"VXNlcm5hbWU6"
    second = waiting.step(b"YWRh")
    assert isinstance(second, Challenge)
    assert second.wire == b"UGFzc3dvcmQ6"
    assert waiting.step(b"cGFzcw==") == Credentials("ada", "pass")


def test_login_takes_the_user_name_at_once() -> None:
    waiting = exchange("LOGIN")
    assert waiting.start(b"YWRh") == Challenge(b"Password:")
    assert waiting.step(b"cGFzcw==") == Credentials("ada", "pass")


@given(TEXT, TEXT)
def test_any_user_name_and_password_come_through(user: str, password: str) -> None:
    wanted = Credentials(user, password)
    if len(plain(user, user, password)) <= MAX_RESPONSE:
        assert exchange("PLAIN").start(plain("", user, password)) == wanted
        assert exchange("PLAIN").start(plain(user, user, password)) == wanted
    login = exchange("LOGIN")
    login.start(b64encode(user.encode()))
    assert login.step(b64encode(password.encode())) == wanted


MECHANISMS = [*PASSWORDS, "SCRAM-SHA-256-PLUS", "OAUTHBEARER", "XOAUTH2", "EXTERNAL"]


@given(st.binary(), st.binary(), st.sampled_from(MECHANISMS))
def test_no_octets_crash_an_exchange(first: bytes, second: bytes, name: str) -> None:
    for encode in (bytes, b64encode):
        waiting = exchange(name)
        if isinstance(waiting.start(encode(first)), Challenge):
            waiting.step(encode(second))


@pytest.mark.parametrize(
    "message",
    [
        b"ada\0ada",
        b"\0ada\0pass\0more",
        b"\0\0pass",
        b"\0ada\0",
        b"\0ada\0\xff\xfe",
        b"",
    ],
)
def test_plain_refuses(message: bytes) -> None:
    wire = b64encode(message) or b"="
    assert reason(exchange("PLAIN").start(wire)) is Reason.MALFORMED


def test_plain_for_another_user() -> None:
    assert reason(exchange("PLAIN").start(plain("eve", "ada", "pass"))) is Reason.OTHER_USER


@pytest.mark.parametrize(
    "wire", [b"AGFkYQBwYXN", b"AGFk YQBwYXNz", b"!!!!", b"AGFkYQBwYXNz\r", b"="]
)
def test_broken_base64_is_refused(wire: bytes) -> None:
    waiting = exchange("PLAIN")
    waiting.start(None)
    assert reason(waiting.step(wire)) is Reason.NOT_BASE64


@pytest.mark.parametrize("name", MECHANISMS)
def test_long_responses_and_cancels(name: str) -> None:
    long = exchange(name)
    long.start(None)
    assert reason(long.step(b"A" * (MAX_RESPONSE + 4))) is Reason.TOO_LONG
    cancelled = exchange(name)
    cancelled.start(None)
    assert reason(cancelled.step(b"*")) is Reason.CANCELLED


@pytest.mark.parametrize("octets", [b"", b"a\0b", b"\xff"])
def test_login_refuses(octets: bytes) -> None:
    waiting = exchange("LOGIN")
    waiting.start(None)
    assert reason(waiting.step(b64encode(octets))) is Reason.MALFORMED
    waiting = exchange("LOGIN")
    waiting.start(b"YWRh")
    assert reason(waiting.step(b64encode(octets))) is Reason.MALFORMED


@pytest.mark.parametrize(
    ("channel", "supported", "wanted"),
    [
        pytest.param(UNSAFE, Supported(True, True), (), id="without-tls"),
        pytest.param(SAFE, Supported(), PASSWORDS, id="safe"),
        pytest.param(
            Channel(True, b"hash"), Supported(), ("SCRAM-SHA-256-PLUS", *PASSWORDS), id="bound"
        ),
        pytest.param(
            Channel(True, b"", ("ada@a.test",)), Supported(), (*PASSWORDS, "EXTERNAL"), id="client"
        ),
        pytest.param(
            SAFE,
            Supported(True, True),
            (
                "SCRAM-SHA-256",
                "SCRAM-SHA-1",
                "PLAIN",
                "LOGIN",
                "OAUTHBEARER",
                "XOAUTH2",
            ),
            id="all",
        ),
    ],
)
def test_mechanisms_of_a_connection(
    channel: Channel, supported: Supported, wanted: tuple[str, ...]
) -> None:
    assert registry.mechanisms(channel, supported) == wanted


def test_other_mechanisms_are_unknown() -> None:
    for name in ("CRAM-MD5", "ANONYMOUS", "SCRAM-SHA-512", ""):
        with pytest.raises(UnknownMechanism):
            exchange(name)


def test_no_password_in_a_repr() -> None:
    assert "pass" not in repr(Credentials("ada", "pass")).replace("password", "")
