"""OAUTHBEARER (RFC 7628) and its elder, XOAUTH2 (Google's, also Microsoft's): a token of OAuth 2.

Both send one message of key and value pairs behind ^A. A refused token is answered by JSON in a
last challenge, which the client answers: with ^A (RFC 7628 §3.2.3), or with an empty line.
"""

import json
import re

from auth.sasl.exchange import (
    Bearer,
    Challenge,
    Failure,
    Step,
    decode,
    decode_initial,
    malformed,
    text_of,
)

_TOKEN = re.compile(r"bearer +([A-Za-z0-9._~+/-]+=*)", re.IGNORECASE)
# There is no channel binding; `y` says that the client could bind.
_HEADER = re.compile(r"[ny],(?:a=([^,\0]+))?,")


class OAuthBearer:
    """The OAUTHBEARER exchange. `discovery` is the address of the openid-configuration, or "";
    `scope` what to ask for there (RFC 7628 §3.2.2).
    """

    def __init__(self, discovery: str, scope: str = "mail") -> None:
        error = {"status": "invalid_token", "scope": scope}
        if discovery:
            error["openid-configuration"] = discovery
        self._error = json.dumps(error).encode()

    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"") if initial is None else self._take(decode_initial(initial))

    def step(self, response: bytes) -> Step:
        return self._take(decode(response))

    def _take(self, message: bytes | Failure) -> Step:
        """RFC 7628 §3.1; host, port and further pairs are not needed here."""
        text = message if isinstance(message, Failure) else text_of(message, "The message")
        if isinstance(text, Failure):
            return text
        begin, _, rest = text.partition("\1")
        header = _HEADER.fullmatch(begin)
        if header is None:
            return malformed("This is no message of OAUTHBEARER")
        user = (header[1] or "").replace("=2C", ",").replace("=3D", "=")
        return _bearer(user, rest, self._error)


class XOAuth2:
    """The XOAUTH2 exchange; `discovery` and `scope` as above, which Google's answer has not, and
    whose clients pass over what they do not know.
    """

    def __init__(self, discovery: str, scope: str = "mail") -> None:
        error = {"status": "401", "schemes": "bearer", "scope": scope}
        if discovery:
            error["openid-configuration"] = discovery
        self._error = json.dumps(error).encode()

    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"") if initial is None else self._take(decode_initial(initial))

    def step(self, response: bytes) -> Step:
        return self._take(decode(response))

    def _take(self, message: bytes | Failure) -> Step:
        text = message if isinstance(message, Failure) else text_of(message, "The message")
        if isinstance(text, Failure):
            return text
        begin, _, rest = text.partition("\1")
        if not begin.startswith("user=") or begin == "user=":
            return malformed("This is no message of XOAUTH2")
        # a comma behind the name is sievelib's (1.6.0)
        user = begin.removeprefix("user=").removesuffix(",")
        return _bearer(user, rest, self._error)


def _bearer(user: str, rest: str, error: bytes) -> Step:
    """The token in pairs that end with ^A, behind which stands one ^A more."""
    *pairs, last, end = rest.split("\1") if rest.endswith("\1\1") else ["", "", "x"]
    found = [pair.removeprefix("auth=") for pair in pairs if pair.startswith("auth=")]
    if found == [""] and not last and not end:
        return Bearer(user, "", error)  # a client that asks what it needs (RFC 7628 §4.3)
    token = _TOKEN.fullmatch(found[0]) if len(found) == 1 else None
    if last or end or token is None:
        return malformed("A bearer token was expected")
    return Bearer(user, token[1], error)
