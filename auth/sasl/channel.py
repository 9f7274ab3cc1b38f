"""What mechanisms must know of the connection that they run on."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Channel:
    """`safe`: over TLS, or from a network that may log in without. `end_point` is the
    tls-server-end-point binding (RFC 5929 §4) of a TLS session that ends in this process, b"" when
    there is none. `names` are the mail addresses of the client's verified certificate.
    """

    safe: bool
    end_point: bytes = field(default=b"", repr=False)
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Supported:
    """What the server has beside passwords. `discovery` is the address of its
    openid-configuration, "" without an issuer; `scope` what a client shall ask of it. `scram`:
    whether accounts have keys for it; `acting`: whether an authorization identity may be another
    user's.
    """

    scram_sha_1: bool = False
    bearer: bool = False
    discovery: str = ""
    scram: bool = True
    scope: str = "mail"
    acting: bool = False
