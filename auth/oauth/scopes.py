"""The scopes that clients of OAuth may ask for, and what each is good for."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from storage.credential_values import Protocol, Terms

OPENID: Final = "openid"
OFFLINE: Final = "offline_access"
PROTOCOLS: Final = {
    "mail:imap": Protocol.IMAP,
    "mail:smtp": Protocol.SMTP,
    "sieve": Protocol.SIEVE,
    "jmap": Protocol.JMAP,
    "carddav": Protocol.CARDDAV,
}
MEANING: Final = {
    "mail:imap": "Read and change your mail",
    "mail:smtp": "Send mail in your name",
    "sieve": "Change your filters",
    "jmap": "Read and change your mail (JMAP)",
    "carddav": "Read and change your address book",
    OPENID: "Know that it is you",
    "email": "Know your mail address",
    "profile": "Know your name",
    OFFLINE: "Stay connected until you take it back",
}
"""Every scope in the order in which they are shown, in words for the user."""
OF_MAIL: Final = "mail:imap mail:smtp sieve offline_access"
"""What a mail client asks for, as SASL tells it (RFC 7628 §3.2.2)."""


def parse_scopes(text: str) -> tuple[str, ...]:
    """Those that are known, each once, in their order; others are passed over (OpenID Connect Core
    §3.1.2.1).
    """
    asked = set(text.split(" "))
    return tuple(scope for scope in MEANING if scope in asked)


def shown(scopes: Iterable[str]) -> str:
    """As RFC 6749 §3.3 writes them."""
    return " ".join(scopes)


def terms_of(client: str, scopes: tuple[str, ...], authenticated: float) -> Terms:
    """What tokens with these scopes are good for; the user logged in at `authenticated`."""
    return Terms(_protocols_of(scopes), client=client, scopes=scopes, authenticated=authenticated)


def narrowed(terms: Terms, asked: str | None) -> Terms | None:
    """Those of a refresh that asks for these scopes, None for all that was allowed (RFC 6749 §6);
    None where that was not allowed.
    """
    scopes = terms.allowed if asked is None else parse_scopes(asked)
    if not scopes or not set(scopes) <= set(terms.allowed):
        return None
    granted = () if set(scopes) == set(terms.allowed) else terms.allowed
    return replace(terms, protocols=_protocols_of(scopes), scopes=scopes, granted=granted)


def _protocols_of(scopes: tuple[str, ...]) -> frozenset[Protocol]:
    return frozenset(PROTOCOLS[scope] for scope in scopes if scope in PROTOCOLS)


def refreshes(scopes: tuple[str, ...]) -> bool:
    """Whether there is a refresh token: asked for, or since a mail client cannot do without."""
    return OFFLINE in scopes or any(scope in PROTOCOLS for scope in scopes)
