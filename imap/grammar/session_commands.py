"""The commands that any state allows and those of login (RFC 9051 §6.1 to §6.3.1), as values."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Capability:
    """CAPABILITY (RFC 9051 §6.1.1)."""

    tag: str


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP (RFC 9051 §6.1.2)."""

    tag: str


@dataclass(frozen=True, slots=True)
class Logout:
    """LOGOUT (RFC 9051 §6.1.3)."""

    tag: str


@dataclass(frozen=True, slots=True)
class StartTls:
    """STARTTLS (RFC 9051 §6.2.1)."""

    tag: str


@dataclass(frozen=True, slots=True)
class Compress:
    """COMPRESS (RFC 4978), the mechanism in upper case."""

    tag: str
    mechanism: str


@dataclass(frozen=True, slots=True)
class Authenticate:
    """AUTHENTICATE (RFC 9051 §6.2.2); `initial` is decoded, None when none came (RFC 4959)."""

    tag: str
    mechanism: str
    initial: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Login:
    """LOGIN (RFC 9051 §6.2.3); octets that are not UTF-8 are taken as ISO 8859-1."""

    tag: str
    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unauthenticate:
    """UNAUTHENTICATE (RFC 8437 §2)."""

    tag: str


@dataclass(frozen=True, slots=True)
class GetJmapAccess:
    """GETJMAPACCESS (RFC 9698 §4)."""

    tag: str


@dataclass(frozen=True, slots=True)
class Enable:
    """ENABLE (RFC 9051 §6.3.1), the capabilities in upper case."""

    tag: str
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Id:
    """ID (RFC 2971); None is `ID NIL`."""

    tag: str
    parameters: tuple[tuple[str, str | None], ...] | None
