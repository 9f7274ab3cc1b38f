"""Who tries to log in, and how."""

from dataclasses import dataclass
from typing import Final

from storage.credential_values import Protocol

MAX_CLIENT: Final = 200


@dataclass(frozen=True, slots=True)
class Caller:
    """`peer` is the IP address; `protocol`, `connection` (its id) and `client` (as it calls
    itself) are for the logs.
    """

    peer: str
    protocol: Protocol
    connection: str = ""
    client: str = ""


def client_name(*parts: str | None) -> str:
    """What a client calls itself, for the logs: bounded, on one line, printable. It may say
    anything: nothing is decided by it.
    """
    text = " ".join(part[:MAX_CLIENT] for part in parts if part)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:MAX_CLIENT]
