"""Reports of successful delivery, for senders who asked for them (RFC 3461 §5.2.1, §5.2.7).

Failures, delays and relays of queued recipients are smtp/outbound's.
"""

import secrets
from datetime import UTC, datetime

from filters.context import Message, Recipient
from filters.envelope import Envelope
from message.dsn import Action, RecipientStatus, Report, build_dsn
from message.xtext import readable_orcpt


def is_group(recipient: Recipient) -> bool:
    """Whether the address leads to several: their success is no news for the sender."""
    resolution = recipient.resolution
    return len(resolution.local) + len(resolution.remote) > 1


def wants_success(recipient: Recipient) -> bool:
    """Whether this server must report that it is done with this recipient: it was the last one, or
    the address led to several (RFC 3461 §5.2.7.2).
    """
    asked = "SUCCESS" in recipient.notify
    return asked and (bool(recipient.resolution.local) or is_group(recipient))


def notify_behind(recipient: Recipient) -> str:
    """NOTIFY for those that an address leads to: of a group's members nobody hears success."""
    if not is_group(recipient) or "SUCCESS" not in recipient.notify:
        return recipient.notify
    left = [word for word in recipient.notify.split(",") if word != "SUCCESS"]
    return ",".join(left) or "NEVER"


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
                    one.address,
                    Action.EXPANDED if is_group(one) else Action.DELIVERED,
                    "2.1.5",
                    original=readable_orcpt(one.orcpt),
                    last_attempt=at,
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
