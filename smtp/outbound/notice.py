"""Which notices a sender gets, and their text: failure, delay and relay (RFC 3461, RFC 3464).

Invariants: nothing is sent to the null sender; NOTIFY is honoured; a delay is told once.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from message.dsn import Action, RecipientStatus, Report, build_dsn
from message.xtext import readable_orcpt
from smtp.outbound.outgoing import open_claim, read_start
from smtp.outbound.results import Outcome
from storage.queue_file import QueueFileDamaged
from storage.queue_values import Claim, ClaimedRecipient

RETURNED = 50 * 1024


@dataclass(frozen=True, slots=True)
class Told:
    """One recipient that a notice speaks of; `retry_until` in Unix seconds for delays."""

    recipient: ClaimedRecipient
    action: Action
    outcome: Outcome
    retry_until: float | None = None


def wanted(action: Action, notify: str, sender: str) -> bool:
    """True when the sender asked to be told, or said nothing and expects it (RFC 3461 §4.1)."""
    asked = {word.strip().upper() for word in notify.split(",") if word.strip()}
    if not sender or "NEVER" in asked:
        return False
    if action is Action.FAILED:
        return not asked or "FAILURE" in asked
    if action is Action.DELAYED:
        return not asked or "DELAY" in asked
    return "SUCCESS" in asked


def build_notice(claim: Claim, told: Sequence[Told], hostname: str, now: float) -> bytes:
    """One message about recipients with the same action. Blocks on the disk."""
    # RFC 8689 §5: what had to be protected is not sent back without protection.
    whole = claim.ret.upper() == "FULL" and not claim.require_tls
    full = whole and told[0].action is Action.FAILED
    at = _time(now)
    return build_dsn(
        Report(
            reporting_mta=hostname,
            sender=claim.sender,
            recipients=tuple(_status(entry, at) for entry in told),
            original=_original(claim),
            arrival=_time(claim.queued_at),
            now=at,
            message_id=f"{secrets.token_hex(12)}@{hostname}",
            envelope_id=claim.envid,
            full=full,
            max_full=RETURNED,
            smtputf8=not claim.sender.isascii()
            or not all(entry.recipient.address.isascii() for entry in told),
            hold_until=None if claim.hold_until is None else _time(claim.hold_until),
            deliver_by=None if claim.deliver_by is None else _time(claim.deliver_by.at),
        )
    )


def _original(claim: Claim) -> bytes:
    try:
        message = open_claim(claim)
        return read_start(message.path, message.offset, min(2 * RETURNED, message.size))
    except (QueueFileDamaged, OSError):
        return b""


def _status(told: Told, now: datetime) -> RecipientStatus:
    outcome = told.outcome
    return RecipientStatus(
        final=told.recipient.address,
        action=told.action,
        status=outcome.status,
        original=readable_orcpt(told.recipient.orcpt),
        remote_mta=outcome.remote.partition("[")[0],
        diagnostic=outcome.text,
        last_attempt=now,
        will_retry_until=None if told.retry_until is None else _time(told.retry_until),
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
