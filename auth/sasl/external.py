"""EXTERNAL (RFC 4422 appendix A): the client's certificate says who it is."""

from auth.sasl.exchange import (
    Challenge,
    External,
    Failure,
    Step,
    decode,
    decode_initial,
    text_of,
)


class ExternalExchange:
    """The EXTERNAL exchange; its one message is the user name, or empty. `names` are those in the
    certificate.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def start(self, initial: bytes | None) -> Step:
        return Challenge(b"") if initial is None else self._take(decode_initial(initial))

    def step(self, response: bytes) -> Step:
        return self._take(decode(response))

    def _take(self, message: bytes | Failure) -> Step:
        user = message if isinstance(message, Failure) else text_of(message, "User name")
        return user if isinstance(user, Failure) else External(user, self._names)
