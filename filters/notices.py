"""Reports of successful delivery, for senders who asked for them (RFC 3461 §5.2.1).

Failures, delays and relays of queued recipients are smtp/outbound's.
"""

import secrets
from datetime import UTC, datetime

from filters.context import Message, Recipient
from filters.envelope import Envelope
from message.dsn import Action, RecipientStatus, Report, build_dsn


def wants_success(recipient: Recipient) -> bool:
    """Whether this server, being the last, must report the delivery of this recipient."""
    return "SUCCESS" in recipient.notify and bool(recipient.resolution.local)


def build_success(envelope: Envelope, message: Message, hostname: str, now: float) -> bytes:
    """The report, b"" when there is nobody to tell."""
    if not envelope.sender:
        return b""
    told = [one for one in envelope.recipients if wants_success(one)]
    at = datetime.fromtimestamp(now, UTC)
    return build_dsn(
        Report(
            reporting_mta=hostname,
            sender=envelope.sender,
            recipients=tuple(
                RecipientStatus(
                    one.address, Action.DELIVERED, "2.1.5", original=one.orcpt, last_attempt=at
                )
                for one in told
            ),
            original=message.header,
            arrival=datetime.fromtimestamp(envelope.received_at, UTC),
            now=at,
            message_id=f"{secrets.token_hex(12)}@{hostname}",
            envelope_id=envelope.envid,
            smtputf8=not all(one.address.isascii() for one in told)
            or not envelope.sender.isascii(),
        )
    )
