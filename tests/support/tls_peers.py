"""Server certificates, good and bad ones, for tests that talk TLS."""

import datetime
import ssl
from enum import Enum

import trustme


class Kind(Enum):
    """What is wrong with a server's certificate, if anything."""

    GOOD = "good"
    EXPIRED = "expired"
    WRONG_NAME = "wrong name"
    SELF_SIGNED = "self-signed"


def server_context(kind: Kind, authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """A context with a certificate of that kind for `names`."""
    issuer = trustme.CA() if kind is Kind.SELF_SIGNED else authority
    if kind is Kind.EXPIRED:
        then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=2)
        start = then - datetime.timedelta(days=2)
        made = issuer.issue_cert(*names, not_before=start, not_after=then)
    else:
        made = issuer.issue_cert(*(("other.test",) if kind is Kind.WRONG_NAME else names))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.configure_cert(context)
    return context


def trusting_nothing() -> ssl.SSLContext:
    """A client context without any trust anchor."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """A client context that trusts the authority alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(context)
    return context
