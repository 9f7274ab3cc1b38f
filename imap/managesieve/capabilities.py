"""The one table of what the server announces, and when (RFC 5804 §1.7)."""

from collections.abc import Callable
from dataclasses import dataclass

from filters.scripts import Language
from imap.managesieve.grammar.encode import capability


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a connection stands. `owner` is the account's address, "" before login; `mechanisms`
    those that are allowed here.
    """

    tls: bool
    tls_offered: bool
    mechanisms: tuple[str, ...]
    owner: str


def _starttls(stage: Stage, _language: Language) -> bool:
    return stage.tls_offered and not stage.tls and not stage.owner


@dataclass(frozen=True, slots=True)
class Row:
    """`value` gives the second string of the line, None for none; `when` whether it is there."""

    name: str
    value: Callable[[Stage, Language], str | None] = lambda stage, language: None
    when: Callable[[Stage, Language], bool] = lambda stage, language: True


TABLE = (
    Row("IMPLEMENTATION", lambda stage, language: "mailserver"),
    Row("SASL", lambda stage, language: " ".join(stage.mechanisms)),
    Row("SIEVE", lambda stage, language: " ".join(language.extensions)),
    Row("STARTTLS", when=_starttls),
    Row(
        "NOTIFY",
        lambda stage, language: " ".join(language.notify),
        lambda stage, language: "enotify" in language.extensions,
    ),
    Row("MAXREDIRECTS", lambda stage, language: str(language.redirects)),
    Row("LANGUAGE", lambda stage, language: "en"),
    Row("OWNER", lambda stage, language: stage.owner, lambda stage, language: bool(stage.owner)),
    Row("UNAUTHENTICATE"),
    Row("VERSION", lambda stage, language: "1.0"),
)


def announce(stage: Stage, language: Language) -> bytes:
    """The lines of CAPABILITY, without the OK behind them."""
    return b"".join(
        capability(row.name, row.value(stage, language))
        for row in TABLE
        if row.when(stage, language)
    )
