"""What a source of accounts says, and what each kind of source can do."""

from dataclasses import dataclass, field
from typing import Final, Protocol

from auth.password import PasswordError, imported_hash
from config.units import parse_size
from message.address import Mailbox

_NO: Final = frozenset({"false", "f", "no", "n", "off", "0"})
MAX_NAME: Final = 200


class SourceError(Exception):
    """The source can't say; the text is one line for the operator, without secrets. `away`: nor
    could it about anybody else.
    """

    def __init__(self, text: str, *, away: bool = False) -> None:
        super().__init__(text)
        self.away = away


@dataclass(frozen=True, slots=True)
class Record:
    """One account of a source. `quota_bytes` and `admin` None: the source leaves them to this
    server. `hash` is that of the password where this server compares it, `dn` the entry to bind as
    where the directory does.
    """

    address: str
    name: str = ""
    quota_bytes: int | None = None
    admin: bool | None = None
    enabled: bool = True
    hash: str = field(default="", repr=False)
    dn: str = ""


class AccountsOutside(Protocol):
    """A source of one kind. Everything raises SourceError."""

    async def find(self, address: Mailbox, *, login: bool) -> Record | None:
        """Whose login, or whose recipient, an address is; None for nobody."""

    async def bind(self, record: Record, password: str) -> bool:
        """Whether the source itself takes the password. Never asked where records have hashes."""

    async def close(self) -> None: ...


def usable_hash(text: str) -> str:
    """A hash that this server can check, else "": a password in the clear is none."""
    try:
        return imported_hash(text)
    except PasswordError:
        return ""


def switch_of(value: object) -> bool:
    """What a column or an attribute means by a truth; nothing at all is true."""
    return value is None or str(value).strip().casefold() not in _NO


def quota_of(value: object) -> int | None:
    """Octets such as 2147483648 or "2G"; None for what is neither."""
    try:
        return parse_size(value)
    except ValueError:
        return None


def name_of(value: object) -> str:
    """A display name without what could not be shown."""
    text = "" if value is None else str(value)
    return "".join(letter for letter in text if letter.isprintable())[:MAX_NAME]


def names_of(address: Mailbox) -> tuple[str, str, str]:
    """The whole address as it is sent, its local part without quotes, and its domain; in lower
    case.
    """
    lower = Mailbox(address.local.casefold(), address.domain)
    return str(lower), lower.local, lower.domain
