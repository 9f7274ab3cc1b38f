"""clamd's control commands through pyclamd, which only this file knows. Blocking."""

import pyclamd


class ClamdError(Exception):
    """clamd does not answer; the text says where it was looked for."""


def ping(address: str) -> str:
    """Its version. `address` is `unix:/path` or `tcp:host:port`. Raises ClamdError."""
    kind, _, rest = address.partition(":")
    try:
        if kind == "unix":
            client = pyclamd.ClamdUnixSocket(rest, timeout=5)
        else:
            host, _, port = rest.rpartition(":")
            client = pyclamd.ClamdNetworkSocket(host, int(port), timeout=5)
        client.ping()
        return str(client.version())
    except pyclamd.ConnectionError as error:
        raise ClamdError(f"no answer at {address}") from error
