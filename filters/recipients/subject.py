"""One message on its way to one account: what its script sees of it, and what an outcome means."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from filters.context import Message, Recipient
from filters.envelope import Envelope
from filters.recipients.disposition import Disposition, Version
from filters.recipients.junk import Judged
from filters.sieve.actions import (
    Action,
    Discard,
    FileInto,
    Keep,
    Notify,
    Outcome,
    Place,
    Redirect,
    Reject,
    Vacation,
)
from filters.sieve.describing import describe
from filters.sieve.limits import LIMITS
from filters.sieve.mail import Mail
from filters.verdict import Action as Site
from filters.verdict import Verdict
from message.edits import Edit, apply_edits
from message.headers import header_block, without_blank_line
from storage.directory_values import Target
from storage.names import INBOX
from storage.values import Content

JUNK: Final = "Junk"


@dataclass(frozen=True, slots=True)
class Subject:
    """One message on its way to one account. `trace` are the fields that will stand above it."""

    envelope: Envelope
    message: Message
    trace: bytes
    target: Target
    recipient: Recipient
    judged: Judged

    @property
    def verdict(self) -> Verdict:
        """The account's."""
        return self.judged.verdict

    @property
    def header(self) -> bytes:
        """As it will be stored, without its blank line."""
        return self.trace + self.message.header

    @property
    def default(self) -> str:
        """Where it goes by itself."""
        return JUNK if self.verdict.action is Site.JUNK else INBOX


def virus_level(envelope: Envelope) -> int | None:
    """RFC 5235 §3.3: 1 is clean, 5 infected; None where nobody looked."""
    for stage in envelope.asked:
        for one in stage:
            if one.filter == "virus" and not one.error and not one.skipped:
                symbols = one.verdict.symbols
                return None if "CLAM_VIRUS_FAIL" in symbols else 5 if "CLAM_VIRUS" in symbols else 1
    return None


def mail_of(subject: Subject) -> Mail:
    """The message as a script sees it: with our fields above it, its body read when needed."""
    header, message = subject.header, subject.message
    size = message.content.size + len(subject.trace)
    if message.headless:
        size += len(b"\r\n")
    return Mail(header, size, partial(_read, header, message.content, message.body_start))


def _read(header: bytes, content: Content, body_start: int) -> bytes:
    """Header and body, a long body to what scripts look at. Blocks for a spooled message."""
    if content.path is None:
        body = (content.data or b"")[body_start:]
    else:
        with content.path.open("rb") as file:
            file.seek(body_start)
            body = file.read(LIMITS.body_size)
    return header + b"\r\n" + body


def disposition(outcome: Outcome, script: str, subject: Subject) -> Disposition:
    """What an outcome means for the store and the queue."""
    filed: list[FileInto] = []
    redirects: list[Redirect] = []
    vacations: list[Vacation] = []
    notifications: list[Notify] = []
    refusal, told = "", []
    for action in outcome.actions:
        told.append(_told(action, script, subject))
        match action:
            case Keep():
                filed.append(
                    FileInto(
                        subject.default, action.flags, place=action.place, version=action.version
                    )
                )
            case FileInto():
                filed.append(action)
            case Redirect():
                redirects.append(action)
            case Reject():
                refusal = action.reason or "Not wanted"
            case Vacation():
                vacations.append(action)
            case Notify():
                notifications.append(action)
            case Discard():
                pass
    return Disposition(
        tuple(filed),
        tuple(redirects),
        refusal,
        versions_of(outcome, subject),
        tuple(vacations),
        tuple(notifications),
        outcome.tracks,
        (*told, *outcome.warnings),
    )


def versions_of(outcome: Outcome, subject: Subject) -> tuple[Version | None, ...]:
    """The message as it was at each version. A long message that is spooled keeps its body."""
    return tuple(_version(edits, subject) for edits in outcome.versions)


def _version(edits: Sequence[Edit], subject: Subject) -> Version | None:
    if not edits:
        return None
    header = subject.header
    if all(end <= len(header) for _, end, _ in edits):
        return Version(apply_edits(header, edits))
    if subject.message.content.size > LIMITS.body_size:
        return Version(apply_edits(header, [one for one in edits if one[1] <= len(header)]))
    data = apply_edits(mail_of(subject).read(), edits)
    block = header_block(data)
    return Version(without_blank_line(block), data[len(block) :])


def _told(action: Action, script: str, subject: Subject) -> str:
    """What is done, where, and which line says so."""
    if isinstance(action, Keep) and action.implicit:
        return f"kept in {subject.default}: {script!r} says nothing else"
    done = describe(action)
    if isinstance(action, Keep):
        done += f" in {subject.default}"
    return f"{done} ({place_words(action.place)} of {(action.place.script or script)!r})"


def place_words(place: Place) -> str:
    return f"line {place.line}"
