"""Whether an address that a browser shall be sent to with a code is one of the client's (RFC 9700
§2.1, RFC 8252 §7); what may be registered is in config/redirects.py. Pure.
"""

import re
from urllib.parse import urlencode, urlsplit, urlunsplit

from config.redirects import LOOPBACK, MAX, split_uri


def fits(asked: str, registered: str) -> bool:
    """Whether it is the registered one, octet for octet; of a loopback one the port may be any (RFC
    8252 §7.3).
    """
    if asked == registered:
        return True
    ours, theirs = split_uri(registered), split_uri(asked)
    if ours is None or theirs is None or ours.scheme != "http" or ours.hostname not in LOOPBACK:
        return False
    return len(asked) <= MAX and _without_port(asked) == _without_port(registered)


def is_own_scheme(uri: str) -> bool:
    """Whether it leads to a program of the user's own machine, whose name nobody vouches for."""
    return not uri.startswith("https:")


def policy_source(uri: str) -> str:
    """The source expression of CSP 3 §2.3.1 for where it leads."""
    parts = split_uri(uri)
    if parts is None:
        return ""
    if parts.scheme == "http" and parts.hostname == "127.0.0.1":
        return "http://127.0.0.1:*"
    if parts.scheme in ("http", "https") and parts.hostname and ":" not in parts.hostname:
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"  # of no literal of IPv6 is there an expression


def with_answer(uri: str, answer: dict[str, str]) -> str:
    """The address with parameters of the answer behind those that it has (RFC 6749 §4.1.2)."""
    parts = urlsplit(uri)
    query = "&".join(filter(None, (parts.query, urlencode(answer))))
    # a scheme of an application may have no slashes, which urlunsplit keeps
    return urlunsplit(parts._replace(query=query))


def _without_port(uri: str) -> str:
    return re.sub(r"^(http://(?:127\.0\.0\.1|\[::1\])):[0-9]{1,5}(?=[/?]|$)", r"\1", uri)
