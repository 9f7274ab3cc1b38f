"""The one table of what the server announces, and when (RFC 9051 §7.2.2).

The CAPABILITY command, the greeting's and the login's response code, ENABLE and docs/imap.md all
come from it. What a name stands for is implemented elsewhere.
"""

from dataclasses import dataclass
from enum import Flag, auto
from functools import lru_cache
from typing import Final, NamedTuple

from config.sections_server import Imap, Listen

SIEVE_PORT: Final = 4190


class Phase(Flag):
    """The stages of a connection at which a capability may be announced."""

    PLAIN = auto()  # not logged in, TLS not in use
    SECURE = auto()  # not logged in, TLS in use
    LOGGED_IN = auto()
    ALWAYS = PLAIN | SECURE | LOGGED_IN


class Condition(Flag):
    """What must hold beside the phase."""

    NONE = 0
    TLS_OFFERED = auto()
    LOGIN_REFUSED = auto()  # a password may not be sent on this connection
    LOGIN_ALLOWED = auto()
    SIEVE_SERVED = auto()
    JMAP_SERVED = auto()  # for the same login


@dataclass(frozen=True, slots=True)
class Capability:
    """A row of the table. `{limit}` and the like in the name are filled in.
    `by_account`: only for accounts that have it switched on. `setting`: the key of the
    configuration that switches it on.
    """

    name: str
    standard: str
    phase: Phase = Phase.ALWAYS
    condition: Condition = Condition.NONE
    enabled_by: bool = False
    by_account: bool = False
    setting: str = ""

    @property
    def key(self) -> str:
        """The name without what is filled in."""
        return self.name.partition("{")[0].removesuffix("=")


_BEFORE_LOGIN = Phase.PLAIN | Phase.SECURE
TABLE = (
    Capability("IMAP4rev1", "RFC 3501"),
    Capability("IMAP4rev2", "RFC 9051", enabled_by=True),
    Capability("LITERAL+", "RFC 7888"),
    Capability("SASL-IR", "RFC 4959"),
    Capability("ID", "RFC 2971"),
    Capability("ENABLE", "RFC 5161"),
    Capability("IDLE", "RFC 2177"),
    Capability("STARTTLS", "RFC 3501 §6.2.1", Phase.PLAIN, Condition.TLS_OFFERED),
    Capability("LOGINDISABLED", "RFC 3501 §6.2.3", Phase.PLAIN, Condition.LOGIN_REFUSED),
    Capability("AUTH={mechanism}", "RFC 3501 §6.2.2", _BEFORE_LOGIN, Condition.LOGIN_ALLOWED),
    Capability("NAMESPACE", "RFC 2342"),
    Capability("CHILDREN", "RFC 3348"),
    Capability("UNSELECT", "RFC 3691"),
    Capability("UIDPLUS", "RFC 4315"),
    Capability("MOVE", "RFC 6851"),
    Capability("SPECIAL-USE", "RFC 6154"),
    Capability("CREATE-SPECIAL-USE", "RFC 6154 §3"),
    Capability("XLIST", "Gmail"),
    Capability("LIST-EXTENDED", "RFC 5258"),
    Capability("LIST-STATUS", "RFC 5819"),
    Capability("STATUS=SIZE", "RFC 8438"),
    Capability("ESEARCH", "RFC 4731"),
    Capability("SEARCHRES", "RFC 5182"),
    Capability("PARTIAL", "RFC 9394"),
    Capability("SORT", "RFC 5256"),
    Capability("SORT=DISPLAY", "RFC 5957"),
    Capability("THREAD=ORDEREDSUBJECT", "RFC 5256"),
    Capability("THREAD=REFERENCES", "RFC 5256"),
    Capability("THREAD=REFS", "RFC 5256 and draft-ietf-morg-inthread"),
    Capability("ESORT", "RFC 5267 §3"),
    Capability("CONTEXT=SEARCH", "RFC 5267 §4"),
    Capability("CONTEXT=SORT", "RFC 5267 §4"),
    Capability("MULTISEARCH", "RFC 7377"),
    Capability("OBJECTID", "RFC 8474"),
    Capability("JMAPACCESS", "RFC 9698", Phase.LOGGED_IN, Condition.JMAP_SERVED),
    Capability("WITHIN", "RFC 5032"),
    Capability("SEARCH=FUZZY", "RFC 6203"),
    Capability("I18NLEVEL=1", "RFC 5255 §4.3"),
    Capability("CONDSTORE", "RFC 7162", enabled_by=True),
    Capability("QRESYNC", "RFC 7162 §3.2", enabled_by=True),
    Capability("APPENDLIMIT={limit}", "RFC 7889"),
    Capability("MULTIAPPEND", "RFC 3502"),
    Capability("NOTIFY", "RFC 5465"),
    Capability("SAVEDATE", "RFC 8514"),
    Capability("UNAUTHENTICATE", "RFC 8437", Phase.LOGGED_IN),
    Capability("COMPRESS=DEFLATE", "RFC 4978", Phase.LOGGED_IN),
    Capability("METADATA", "RFC 5464", enabled_by=True),
    Capability("LIST-METADATA", "RFC 9590"),
    Capability("FILTERS", "RFC 5466"),
    Capability("X-GM-EXT-1", "Gmail", Phase.LOGGED_IN, by_account=True),
    Capability("QUOTA", "RFC 9208"),
    Capability("QUOTASET", "RFC 9208 §3.1"),
    Capability("QUOTA=RES-STORAGE", "RFC 9208 §5.1"),
    Capability("QUOTA=RES-MESSAGE", "RFC 9208 §5.2"),
    Capability("UTF8=ACCEPT", "RFC 9755", enabled_by=True),
    Capability("ACL", "RFC 4314"),
    Capability("RIGHTS=kxte", "RFC 4314 §5.1.1"),
    Capability("LIST-MYRIGHTS", "RFC 8440"),
    Capability("BINARY", "RFC 3516"),
    Capability("CATENATE", "RFC 4469"),
    Capability("REPLACE", "RFC 8508"),
    Capability("PREVIEW", "RFC 8970"),
    Capability("INPROGRESS", "RFC 9585"),
    Capability("IMAPSIEVE={sieve}", "RFC 6785", Phase.LOGGED_IN, Condition.SIEVE_SERVED),
    Capability("UIDONLY", "RFC 9586", Phase.LOGGED_IN, enabled_by=True, setting="uidonly"),
    Capability("MESSAGELIMIT={messages}", "RFC 9738", Phase.LOGGED_IN, setting="message_limit"),
)
ENABLE = {row.name.upper(): row.name for row in TABLE if row.enabled_by}


class Stage(NamedTuple):
    """Where a connection stands. `append_limit` in octets, `message_limit` in messages,
    `mechanisms` those allowed here; names in `masked` and `granted` are in upper case. `sieve` is
    where scripts are kept (RFC 5804 §3), "" where they can't be; `jmap`: the login is good for JMAP
    too, which is served.
    """

    tls: bool
    tls_offered: bool
    login_allowed: bool
    logged_in: bool
    append_limit: int
    mechanisms: tuple[str, ...]
    masked: frozenset[str] = frozenset()
    granted: frozenset[str] = frozenset()
    message_limit: int = 0
    sieve: str = ""
    jmap: bool = False

    @property
    def phase(self) -> Phase:
        if self.logged_in:
            return Phase.LOGGED_IN
        return Phase.SECURE if self.tls else Phase.PLAIN

    @property
    def conditions(self) -> Condition:
        login = Condition.LOGIN_ALLOWED if self.login_allowed else Condition.LOGIN_REFUSED
        sieve = Condition.SIEVE_SERVED if self.sieve else Condition.NONE
        jmap = Condition.JMAP_SERVED if self.jmap else Condition.NONE
        return (
            login | sieve | jmap | (Condition.TLS_OFFERED if self.tls_offered else Condition.NONE)
        )


@lru_cache(8)
def switched_off(settings: Imap) -> frozenset[str]:
    """The keys of capabilities whose setting is off, in upper case."""
    return frozenset(
        row.key.upper() for row in TABLE if row.setting and not getattr(settings, row.setting)
    )


def sieve_url(hostname: str, listen: Listen) -> str:
    """Where scripts are kept (RFC 5804 §3), "" where they are not. The port is told where it is
    another than ManageSieve's own, and known.
    """
    if not listen.managesieve:
        return ""
    port = listen.managesieve[0].port
    return f"sieve://{hostname}" + ("" if port in (0, SIEVE_PORT) else f":{port}")


@lru_cache(64)
def announce(stage: Stage) -> bytes:
    """The capabilities of a connection at this stage, joined by spaces."""
    phase, conditions = stage.phase, stage.conditions
    words: list[str] = []
    for row in TABLE:
        key = row.key.upper()
        if key in stage.masked or (row.by_account and key not in stage.granted):
            continue
        if phase in row.phase and row.condition in conditions:
            words += _written(row.name, stage)
    return " ".join(words).encode()


def _written(name: str, stage: Stage) -> list[str]:
    if "{mechanism}" in name:
        return [name.format(mechanism=mechanism) for mechanism in stage.mechanisms]
    limits = {"limit": stage.append_limit, "messages": stage.message_limit}
    return [name.format(**limits, sieve=stage.sieve)]


def documentation() -> str:
    """The table of docs/imap.md, as Markdown."""
    lines = [
        "| capability | standard | before TLS | before login, with TLS | after login |",
        "|---|---|---|---|---|",
    ]
    for row in TABLE:
        marks = " | ".join(
            _mark(row, phase) for phase in (Phase.PLAIN, Phase.SECURE, Phase.LOGGED_IN)
        )
        mechanism, sieve = "PLAIN and [others](auth.md)", "sieve://host"
        name = row.name.format(limit="n", messages="n", mechanism=mechanism, sieve=sieve)
        lines.append(f"| {name} | {row.standard} | {marks} |")
    return "\n".join(lines) + "\n"


def _mark(row: Capability, phase: Phase) -> str:
    if phase not in row.phase:
        return "no"
    if row.by_account:
        return "by account" if phase is Phase.LOGGED_IN else "no"
    if row.setting:
        return f"with imap.{row.setting}"
    if row.condition is Condition.SIEVE_SERVED:
        return "with listen.managesieve"
    if row.condition is Condition.JMAP_SERVED:
        return "with listen.https"
    if row.condition is Condition.TLS_OFFERED:
        return "yes, with a certificate"
    if phase is Phase.PLAIN and row.condition is Condition.LOGIN_REFUSED:
        return "unless in auth.plaintext_from"
    if phase is Phase.PLAIN and row.condition is Condition.LOGIN_ALLOWED:
        return "in auth.plaintext_from"
    return "yes"
