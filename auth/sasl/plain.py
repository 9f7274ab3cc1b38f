"""PLAIN (RFC 4616): `authzid NUL authcid NUL password` in one response."""

from auth.sasl.exchange import (
    OTHER_USER,
    Challenge,
    Credentials,
    Failure,
    Step,
    decode,
    decode_initial,
    malformed,
    text_of,
)


class Plain:
    """The PLAIN exchange. `acting`: whether authzid may be another user; else it is empty or the
    user.
    """

    def __init__(self, acting: bool = False) -> None:
        self._acting = acting

    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"") if initial is None else self._finish(decode_initial(initial))

    def step(self, response: bytes) -> Step:
        return self._finish(decode(response))

    def _finish(self, message: bytes | Failure) -> Step:
        if isinstance(message, Failure):
            return message
        parts = message.split(b"\0")
        if len(parts) != 3:
            return malformed("PLAIN needs authzid NUL user NUL password")
        authzid = text_of(parts[0], "Authorization identity")
        user = text_of(parts[1], "User name")
        password = text_of(parts[2], "Password")
        for part in (authzid, user, password):
            if isinstance(part, Failure):
                return part
        return self._credentials(str(authzid), str(user), str(password))

    def _credentials(self, authzid: str, user: str, password: str) -> Step:
        if not user or not password:
            return malformed("User name and password must not be empty")
        if not authzid or authzid.casefold() == user.casefold():
            return Credentials(user, password)
        return Credentials(user, password, authzid) if self._acting else OTHER_USER
