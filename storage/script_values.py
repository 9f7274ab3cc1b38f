"""Sieve scripts as values, their names and bounds, and why a change of them is refused. Pure."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from storage.errors import StoreError

MAX_SCRIPTS: Final = 64
MAX_SIZE: Final = 256 * 1024
MAX_TOTAL: Final = 2 * 1024 * 1024
MAX_NAME: Final = 512
# RFC 5804 §1.6: no control characters, no line or paragraph separator.
_FORBIDDEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Script:
    """`id` stays when a script is renamed; `changed` is when its text was set, in seconds since
    1970.
    """

    id: int
    name: str
    text: bytes
    active: bool
    changed: float


@dataclass(frozen=True, slots=True)
class ScriptLine:
    """A script without its text, for listings; `size` in octets."""

    id: int
    name: str
    size: int
    active: bool
    changed: float


class BadScriptName(StoreError):
    """No name for a script."""


class NoSuchScript(StoreError):
    """ManageSieve NO (NONEXISTENT)."""


class ScriptExists(StoreError):
    """ManageSieve NO (ALREADYEXISTS)."""


class ScriptChanged(StoreError):
    """The script is another one than its caller has seen."""


class ScriptActive(StoreError):
    """The active script can't be deleted: ManageSieve NO (ACTIVE)."""


class ScriptTooLarge(StoreError):
    """ManageSieve NO (QUOTA/MAXSIZE)."""


class ScriptsTooLarge(ScriptTooLarge):
    """All scripts of the account together: ManageSieve NO (QUOTA)."""


class TooManyScripts(StoreError):
    """ManageSieve NO (QUOTA/MAXSCRIPTS)."""


def script_name(text: str) -> str:
    """The one form of a name, in which it is kept and compared (RFC 5198 §2). Raises
    BadScriptName.
    """
    if _FORBIDDEN.search(text):
        raise BadScriptName("The name of a script holds no control characters")
    name = unicodedata.normalize("NFC", text)
    if not 0 < len(name.encode()) <= MAX_NAME:
        raise BadScriptName(f"The name of a script has 1 to {MAX_NAME} octets")
    return name
