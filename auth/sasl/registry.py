"""The SASL mechanisms by name, and when they may be offered.

A mechanism is added here and nowhere else: what SMTP, IMAP and ManageSieve announce and take comes
from this table. ANONYMOUS is not among them, and no mechanism that needs the password in the clear
at the server (CRAM-MD5, DIGEST-MD5).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from auth.sasl.channel import Channel, Supported
from auth.sasl.exchange import Exchange
from auth.sasl.external import ExternalExchange
from auth.sasl.login import Login
from auth.sasl.oauthbearer import OAuthBearer, XOAuth2
from auth.sasl.plain import Plain
from auth.sasl.scram import Scram


class UnknownMechanism(ValueError):
    """No such mechanism: SMTP 504 5.5.4, IMAP NO."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """`usable` says whether it may be used on a connection that is safe."""

    name: str
    make: Callable[[Channel, Supported], Exchange]
    usable: Callable[[Channel, Supported], bool] = lambda channel, supported: True


_TABLE = {
    mechanism.name: mechanism
    for mechanism in (
        Mechanism(
            "SCRAM-SHA-256-PLUS",
            lambda channel, supported: Scram("SCRAM-SHA-256", channel, plus=True),
            lambda channel, supported: supported.scram and bool(channel.end_point),
        ),
        Mechanism(
            "SCRAM-SHA-256",
            lambda channel, supported: Scram("SCRAM-SHA-256", channel),
            lambda channel, supported: supported.scram,
        ),
        Mechanism(
            "SCRAM-SHA-1",
            lambda channel, supported: Scram("SCRAM-SHA-1", channel),
            lambda channel, supported: supported.scram and supported.scram_sha_1,
        ),
        Mechanism("PLAIN", lambda channel, supported: Plain(supported.acting)),
        Mechanism("LOGIN", lambda channel, supported: Login()),
        Mechanism(
            "OAUTHBEARER",
            lambda channel, supported: OAuthBearer(supported.discovery, supported.scope),
            lambda channel, supported: supported.bearer,
        ),
        Mechanism(
            "XOAUTH2",
            lambda channel, supported: XOAuth2(supported.discovery, supported.scope),
            lambda channel, supported: supported.bearer,
        ),
        Mechanism(
            "EXTERNAL",
            lambda channel, supported: ExternalExchange(channel.names),
            lambda channel, supported: bool(channel.names),
        ),
    )
}


@lru_cache(256)
def mechanisms(channel: Channel, supported: Supported) -> tuple[str, ...]:
    """Names to announce, in order of preference: those that may be used on the connection."""
    if not channel.safe:
        return ()
    return tuple(name for name, row in _TABLE.items() if row.usable(channel, supported))


def exchange(name: str, channel: Channel, supported: Supported) -> Exchange:
    """A fresh exchange of the mechanism, named in any case. Raises UnknownMechanism."""
    mechanism = _TABLE.get(name.upper())
    if mechanism is None or (name.upper().startswith("SCRAM-") and not supported.scram):
        raise UnknownMechanism("Unknown authentication mechanism")
    return mechanism.make(channel, supported)
