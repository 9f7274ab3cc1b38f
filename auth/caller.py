"""Who tries to log in, and how."""

from dataclasses import dataclass

from storage.credential_values import Protocol


@dataclass(frozen=True, slots=True)
class Caller:
    """`peer` is the IP address; `protocol`, `connection` (its id) and `client` (as it calls
    itself) are for the logs.
    """

    peer: str
    protocol: Protocol
    connection: str = ""
    client: str = ""
