"""The SASL mechanisms by name, and when they may be offered.

A mechanism is added here and nowhere else: SMTP's AUTH and IMAP's AUTH= read this table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from auth.sasl.exchange import Exchange
from auth.sasl.login import Login
from auth.sasl.plain import Plain


class UnknownMechanism(ValueError):
    """No such mechanism: SMTP 504 5.5.4, IMAP NO."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """`cleartext`: whoever reads the line learns the password (RFC 4954 §4, RFC 4616 §6)."""

    name: str
    make: Callable[[], Exchange]
    cleartext: bool


_TABLE = {
    mechanism.name: mechanism
    for mechanism in (Mechanism("PLAIN", Plain, True), Mechanism("LOGIN", Login, True))
}


@cache
def mechanisms(tls: bool, plaintext_ok: bool) -> tuple[str, ...]:
    """Names to announce, in order of preference: those that may be used on such a connection.

    `plaintext_ok` is auth.policy.plaintext_allowed for the peer.
    """
    return tuple(
        name for name, mechanism in _TABLE.items() if tls or plaintext_ok or not mechanism.cleartext
    )


def exchange(name: str) -> Exchange:
    """A fresh exchange of the mechanism, named in any case. Raises UnknownMechanism."""
    mechanism = _TABLE.get(name.upper())
    if mechanism is None:
        raise UnknownMechanism("Unknown authentication mechanism")
    return mechanism.make()
