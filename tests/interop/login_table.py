"""Which clients of others log in by which mechanism on which listener: the tests run these cells,
and docs/auth.md shows them.

`.venv/bin/python -m tests.interop.login_table` prints the table of the documentation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final


class Secret(Enum):
    """What the account proves itself by."""

    PASSWORD = "password"
    APP_PASSWORD = "app-password"
    TOKEN = "token"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class Way:
    """A client on some listeners. `initial`: whether it sends initial responses (SASL-IR), or can
    do both.
    """

    peer: str
    listeners: tuple[str, ...]
    mechanisms: tuple[str, ...]
    initial: tuple[bool, ...] = (True,)


@dataclass(frozen=True, slots=True)
class Cell:
    """A client that logs in; `secrets` one after the other."""

    peer: str
    listener: str
    mechanism: str
    initial: bool
    secrets: tuple[Secret, ...]

    @property
    def name(self) -> str:
        """For the test."""
        how = "initial-response" if self.initial else "asked"
        return f"{self.peer}-{self.listener}-{self.mechanism}-{how}"


HEADINGS: Final = {
    "imap": "IMAP, STARTTLS",
    "imaps": "IMAP, TLS",
    "submission": "submission, STARTTLS",
    "submissions": "submission, TLS",
    "managesieve": "ManageSieve, STARTTLS",
}
IMAP: Final = ("imap", "imaps")
SMTP: Final = ("submission", "submissions")
ALL: Final = tuple(HEADINGS)
_TYPED: Final = (Secret.PASSWORD, Secret.APP_PASSWORD)
SECRETS: Final = {
    "SCRAM-SHA-256-PLUS": _TYPED,
    "SCRAM-SHA-256": _TYPED,
    "SCRAM-SHA-1": _TYPED,
    "PLAIN": (*_TYPED, Secret.TOKEN),
    "LOGIN": (*_TYPED, Secret.TOKEN),
    "OAUTHBEARER": (Secret.TOKEN,),
    "XOAUTH2": (Secret.TOKEN,),
    "EXTERNAL": (Secret.CERTIFICATE,),
}
_BEARER: Final = ("OAUTHBEARER", "XOAUTH2")
_SCRAM: Final = ("SCRAM-SHA-256", "SCRAM-SHA-1")
WAYS: Final = (
    Way("aiosasl", ALL, ("SCRAM-SHA-256-PLUS", *_SCRAM, "PLAIN"), (True, False)),
    Way("GNU SASL", ("imap", "submission"), (*_SCRAM, "PLAIN", "LOGIN", "EXTERNAL"), (False,)),
    Way("mbsync", IMAP, (*_SCRAM, "PLAIN")),
    Way("curl", (*IMAP, *SMTP), ("PLAIN", "LOGIN", *_BEARER, "EXTERNAL"), (True, False)),
    Way("imaplib", IMAP, ("PLAIN", "LOGIN", *_BEARER, "EXTERNAL"), (False,)),
    Way("smtplib", SMTP, ("PLAIN", "LOGIN", *_BEARER, "EXTERNAL"), (True, False)),
    Way("imapflow", IMAP, ("PLAIN", "LOGIN", "OAUTHBEARER")),
    Way("offlineimap", ("imaps",), ("PLAIN", "XOAUTH2"), (False,)),
    Way("swaks", SMTP, ("PLAIN",)),
    Way("swaks", SMTP, ("LOGIN",), (False,)),
    Way("sievelib", ("managesieve",), ("PLAIN", *_BEARER)),
    Way("sievelib", ("managesieve",), ("LOGIN",), (False,)),
    Way("sieve-connect", ("managesieve",), ("PLAIN", "EXTERNAL")),
)


def cells() -> Iterator[Cell]:
    """Every cell, first with all secrets that are good for the mechanism; one will do when the
    client can begin otherwise, too.
    """
    for way in WAYS:
        for listener in way.listeners:
            for mechanism in way.mechanisms:
                secrets = SECRETS[mechanism]
                for initial in way.initial:
                    yield Cell(way.peer, listener, mechanism, initial, secrets)
                    secrets = secrets[:1]


def shown() -> str:
    """The table of docs/auth.md."""
    rows = [["", *HEADINGS.values()], ["---"] * (len(HEADINGS) + 1)]
    rows += [
        [mechanism, *(_clients(mechanism, listener) for listener in HEADINGS)]
        for mechanism in SECRETS
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _clients(mechanism: str, listener: str) -> str:
    wanted = (mechanism, listener)
    found = (cell.peer for cell in cells() if (cell.mechanism, cell.listener) == wanted)
    return ", ".join(dict.fromkeys(found))


if __name__ == "__main__":
    print(shown())
