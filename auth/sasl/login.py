"""LOGIN (draft-murchison-sasl-login): two challenges, user name and password.

The challenges are exactly `Username:` and `Password:`: Outlook compares them. Some of its builds
send the user name as an initial response, which the draft forbids; it is taken.
"""

from auth.sasl.exchange import (
    Challenge,
    Credentials,
    Failure,
    Step,
    decode,
    decode_initial,
    malformed,
    text_of,
)


class Login:
    """The LOGIN exchange."""

    def __init__(self) -> None:
        self._user: str | None = None

    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"Username:") if initial is None else self._name(decode_initial(initial))

    def step(self, response: bytes) -> Step:
        octets = decode(response)
        return self._name(octets) if self._user is None else self._finish(octets, self._user)

    def _name(self, octets: bytes | Failure) -> Step:
        user = octets if isinstance(octets, Failure) else text_of(octets, "User name")
        if isinstance(user, Failure):
            return user
        if not user:
            return malformed("User name must not be empty")
        self._user = user
        return Challenge(b"Password:")

    def _finish(self, octets: bytes | Failure, user: str) -> Step:
        password = octets if isinstance(octets, Failure) else text_of(octets, "Password")
        if isinstance(password, Failure):
            return password
        return Credentials(user, password) if password else malformed("Password must not be empty")
