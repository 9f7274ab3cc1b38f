"""Recipients that refuse a message: what its sender is told, and how (RFC 5429 §2).

When nobody takes it, or by LMTP, the refusal is the answer; else some have it, and the sender gets
a report about the others, unless it is forged or must get none.
"""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final

from filters.context import Kind, Message
from filters.envelope import Envelope, Outcome
from filters.recipients.disposition import Refusal
from message.dsn import Action, RecipientStatus, Report, build_dsn
from message.xtext import readable_orcpt

CODE: Final = 550
STATUS: Final = "5.7.1"
_MOST: Final = 400


def line_of(reason: str) -> str:
    """The reason as the text of a reply: one line of ASCII."""
    line = " ".join(reason.split())[:_MOST]
    if not line.isascii():  # RFC 5429 §2.1.2: only with SMTPUTF8 could it be said
        return "The recipient's mail filter refuses this message"
    return "".join(char if " " <= char <= "~" else "?" for char in line)


def is_answer(envelope: Envelope, refusals: Iterable[Refusal]) -> bool:
    """Whether the sender hears of the refusals in the answer to the message itself."""
    if envelope.kind is Kind.LOCAL:
        return False
    refused = {one.recipient.address for one in refusals}
    return envelope.kind is Kind.LMTP or all(one.address in refused for one in envelope.recipients)


def outcome_of(refusal: Refusal) -> Outcome:
    """The answer for one recipient."""
    return Outcome(refusal.recipient.address, CODE, STATUS, line_of(refusal.reason))


def build_refusal(
    envelope: Envelope, message: Message, refusals: Iterable[Refusal], hostname: str, now: float
) -> bytes:
    """The report, b"" when nobody wants one (RFC 3461 §4.1)."""
    told = [one for one in refusals if _wants(one.recipient.notify)]
    if not envelope.sender or not told:
        return b""
    at = datetime.fromtimestamp(now, UTC)
    return build_dsn(
        Report(
            reporting_mta=hostname,
            sender=envelope.sender,
            recipients=tuple(
                RecipientStatus(
                    one.recipient.address,
                    Action.FAILED,
                    STATUS,
                    original=readable_orcpt(one.recipient.orcpt),
                    diagnostic=" ".join(one.reason.split()),
                    last_attempt=at,
                )
                for one in told
            ),
            original=message.header,
            arrival=datetime.fromtimestamp(envelope.received_at, UTC),
            now=at,
            message_id=f"{secrets.token_hex(12)}@{hostname}",
            envelope_id=envelope.envid,
            smtputf8=not envelope.sender.isascii()
            or not all(one.recipient.address.isascii() for one in told),
        )
    )


def _wants(notify: str) -> bool:
    asked = {word.strip().upper() for word in notify.split(",") if word.strip()}
    return not asked or "FAILURE" in asked
