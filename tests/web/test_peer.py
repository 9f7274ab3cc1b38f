"""Whose request it is, behind reverse proxies and without one."""

import pytest
from starlette.requests import Request

from config.fields import network
from web.peer import address_of, is_secure

PROXIES = [network("127.0.0.1/32"), network("10.0.0.0/8"), network("2001:db8:ffff::/48")]
PROXY, STRANGER = "127.0.0.1", "198.51.100.7"


def request(peer: str | None, *headers: tuple[str, str], scheme: str = "http") -> Request:
    fields = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    client = None if peer is None else (peer, 1234)
    scope = {"type": "http", "client": client, "headers": fields, "scheme": scheme}
    return Request(scope | {"path": "/", "server": ("mx.example.test", 80), "query_string": b""})


def named(*values: str) -> list[tuple[str, str]]:
    return [("x-forwarded-for", value) for value in values]


@pytest.mark.parametrize(
    ("peer", "values", "address"),
    [
        pytest.param(PROXY, ["192.0.2.1"], "192.0.2.1", id="one"),
        pytest.param(PROXY, [], PROXY, id="none"),
        pytest.param(PROXY, [""], PROXY, id="empty"),
        pytest.param(STRANGER, ["192.0.2.1"], STRANGER, id="spoofed-without-a-proxy"),
        pytest.param(PROXY, ["127.0.0.1, 192.0.2.1"], "192.0.2.1", id="spoofed-on-the-left"),
        pytest.param(PROXY, ["192.0.2.9", "192.0.2.1"], "192.0.2.1", id="two-lines"),
        pytest.param(PROXY, ["192.0.2.1, 10.1.2.3"], "192.0.2.1", id="two-proxies"),
        pytest.param(PROXY, ["192.0.2.1", "10.1.2.3,10.9.9.9"], "192.0.2.1", id="three-proxies"),
        pytest.param(
            PROXY, ["192.0.2.9, 198.51.100.7, 10.1.2.3"], STRANGER, id="spoofed-before-two"
        ),
        pytest.param(PROXY, ["10.1.2.3, 10.9.9.9"], "10.1.2.3", id="proxies-alone"),
        pytest.param(PROXY, ["2001:db8::1"], "2001:db8::1", id="ipv6"),
        pytest.param(PROXY, ["2001:DB8:0::1"], "2001:db8::1", id="ipv6-spelling"),
        pytest.param(PROXY, ["2001:db8::1, 2001:db8:ffff::9"], "2001:db8::1", id="ipv6-proxy"),
        pytest.param("2001:db8:ffff::1", ["192.0.2.1"], "192.0.2.1", id="from-ipv6-proxy"),
        pytest.param("::ffff:10.0.0.1", ["192.0.2.1"], "192.0.2.1", id="mapped-proxy"),
        pytest.param(PROXY, ["::ffff:192.0.2.1"], "192.0.2.1", id="mapped"),
        pytest.param(PROXY, ["192.0.2.1:4321"], "192.0.2.1", id="port"),
        pytest.param(PROXY, ["[2001:db8::1]:4321"], "2001:db8::1", id="ipv6-port"),
        pytest.param(PROXY, ["[2001:db8::1]"], "2001:db8::1", id="ipv6-brackets"),
        pytest.param(PROXY, ["192.0.2.1, 10.1.2.3:80"], "192.0.2.1", id="proxy-port"),
        pytest.param(PROXY, ["fe80::1%eth0"], "fe80::1", id="zone"),
        pytest.param(PROXY, ["unknown"], PROXY, id="unknown"),
        pytest.param(PROXY, ["192.0.2.1, unknown"], PROXY, id="unknown-on-the-right"),
        pytest.param(PROXY, ["192.0.2.1, unknown, 10.1.2.3"], "10.1.2.3", id="unknown-between"),
        pytest.param(PROXY, ["192.0.2.1,"], PROXY, id="comma"),
        pytest.param(PROXY, ["192.0.2.256"], PROXY, id="no-address"),
        pytest.param(PROXY, ["192.0.2.1:port"], PROXY, id="no-port"),
        pytest.param(PROXY, ["[192.0.2.1"], PROXY, id="half-a-bracket"),
        pytest.param(PROXY, ["\xff\x00"], PROXY, id="octets"),
        pytest.param(PROXY, ["9" * 60_000], PROXY, id="long"),
        pytest.param(PROXY, ["192.0.2.1" + ", 10.1.2.3" * 5000], "192.0.2.1", id="many"),
        pytest.param(None, ["192.0.2.1"], "", id="no-peer"),
    ],
)
def test_addresses(peer: str | None, values: list[str], address: str) -> None:
    assert address_of(request(peer, *named(*values)), PROXIES) == address


def test_nobody_is_a_proxy_unless_it_is_said() -> None:
    assert address_of(request(PROXY, *named("192.0.2.1")), []) == PROXY


@pytest.mark.parametrize(
    ("peer", "values", "secure"),
    [
        pytest.param(PROXY, ["https"], True, id="https"),
        pytest.param(PROXY, ["http"], False, id="http"),
        pytest.param(PROXY, [], False, id="none"),
        pytest.param(STRANGER, ["https"], False, id="stranger"),
        pytest.param(PROXY, ["https, http"], False, id="spoofed"),
        pytest.param(PROXY, ["https", "http"], False, id="spoofed-in-a-line"),
        pytest.param(PROXY, ["http", "HTTPS "], True, id="case"),
    ],
)
def test_whether_tls_was_used(peer: str, values: list[str], secure: bool) -> None:
    headers = [("x-forwarded-proto", value) for value in values]
    assert is_secure(request(peer, *headers), PROXIES) is secure
    assert is_secure(request(peer, *headers, scheme="https"), PROXIES)
