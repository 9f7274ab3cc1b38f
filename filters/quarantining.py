"""Keeps a message from its recipients: what goes into the quarantine's file, and out of it again.

Invariant: what is released is delivered as it would have been, with the trace fields of its arrival
and the fields of the filters; it passes no filter again.
"""

import errno
from collections.abc import Sequence
from typing import Any

from config.logging import Logger
from filters.authentication.statements import results_field
from filters.context import Kind, Message, Recipient
from filters.envelope import Envelope, Source
from filters.record import Recorder
from filters.verdict import Action, Verdict
from message.headers import build_field, first
from message.words import decode_words
from net.threads import Busy
from storage import explain_values
from storage.errors import StoreError, StoreFull
from storage.explain_values import cut
from storage.quarantine import Quarantine
from storage.quarantine_file import Kept
from storage.values import AccountId, DeliverBy

RELEASED_FIELD = "X-Quarantine-Released"
_HEAD = 8 * 1024
_FULL = (452, "4.3.1", "Insufficient system storage, try again later")
_FAILED = (451, "4.3.0", "Mail store not available, try again later")
_PLAIN = ("smtputf8", "eightbit", "ret", "envid", "require_tls", "hold_until", "priority")


class Keeper:
    """The way in."""

    def __init__(
        self, hostname: str, quarantine: Quarantine, recorder: Recorder, log: Logger
    ) -> None:
        self._hostname, self._quarantine = hostname, quarantine
        self._recorder, self._log = recorder, log

    async def keep(
        self, envelope: Envelope, message: Message, verdict: Verdict
    ) -> tuple[int, str, str]:
        """The answer, as after a delivery: the sender does not hear of the quarantine. Durable when
        it is 250.
        """
        kept = None
        answer = (250, "2.0.0", f"Ok, id {envelope.trace}")
        try:
            made = kept_of(envelope, message, verdict, self._hostname)
            kept = await self._quarantine.keep(made, message.content)
        except (StoreError, OSError, Busy) as error:
            answer = _FULL if _is_full(error) else _FAILED
            self._log.error("not quarantined", message=envelope.trace, reason=repr(error))
        self._recorder.message(envelope, message, verdict, answer)
        if kept is not None:
            self._record(kept)
        return answer

    def _record(self, kept: Kept) -> None:
        what = {"id": kept.id, "reason": kept.reason, "recipients": list(kept.recipients[:20])}
        self._recorder.happened(kept.trace, explain_values.Kind.QUARANTINED, what)
        self._log.info("quarantined", message=kept.trace, id=kept.id, reason=kept.reason)


def _is_full(error: Exception) -> bool:
    full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    return full or isinstance(error, StoreFull)


def kept_of(envelope: Envelope, message: Message, verdict: Verdict, hostname: str) -> Kept:
    """What a quarantine file begins with; its id is given when it is stored."""
    head = message.header[:_HEAD]
    fields = (results_field(hostname, envelope.results), *verdict.headers, *envelope.headers)
    source, by = envelope.source, envelope.deliver_by
    return Kept(
        id="",
        at=envelope.received_at,
        trace=envelope.trace,
        sender=envelope.sender,
        recipients=tuple(one.address for one in envelope.recipients),
        reason=reason_of(envelope, verdict),
        symbols=verdict.symbols,
        subject=cut(decode_words(first(head, b"subject") or b"")),
        author=cut(decode_words(first(head, b"from") or b"")),
        message_id=cut((first(head, b"message-id") or b"").decode("ascii", "replace")),
        size=message.content.size,
        envelope={name: getattr(envelope, name) for name in _PLAIN}
        | {
            "kind": envelope.kind.value,
            "source": [getattr(source, name) for name in Source.__slots__],
            "account": envelope.account,
            "fields": b"".join(fields).decode("latin-1"),
            "wishes": [[one.notify, one.orcpt] for one in envelope.recipients],
            "deliver_by": None if by is None else [by.at, by.mode, by.trace],
            "connection": envelope.connection,
            "headless": message.headless,
            "keywords": sorted(verdict.keywords),
        },
    )


def reason_of(envelope: Envelope, verdict: Verdict) -> str:
    """Which filters asked for it and why, in one line."""
    parts = []
    for stage in envelope.asked:
        for one in stage:
            if one.verdict.action is Action.QUARANTINE:
                found = _found(one.verdict)
                parts.append(f"{one.filter}: {found}" if found else one.filter)
    return cut("; ".join(parts) or verdict.text or _found(verdict))


def _found(verdict: Verdict) -> str:
    details = {one.name: one.detail for one in verdict.scored if one.detail}
    names = (f"{name} ({details[name]})" if name in details else name for name in verdict.symbols)
    return ", ".join(names) or verdict.text


def envelope_of(
    kept: Kept, recipients: Sequence[tuple[int, Recipient]], *, by: str, at: str
) -> Envelope:
    """As it was, for those of the recipients (by position), with a field that tells of the
    release.
    """
    more: dict[str, Any] = dict(kept.envelope)
    wishes = more["wishes"]
    fields = more["fields"].encode("latin-1")
    released = build_field(RELEASED_FIELD, f"{at}; id={kept.id}; by={by or 'administrator'}")
    within = more["deliver_by"]
    account = more["account"]
    return Envelope(
        Kind(more["kind"]),
        kept.sender,
        tuple(
            Recipient(one.address, one.resolution, *wishes[position])
            for position, one in recipients
        ),
        kept.trace,
        kept.at,
        Source(*more["source"]),
        account=AccountId(account) if account is not None else None,
        headers=(released, fields) if fields else (released,),
        connection=more["connection"],
        deliver_by=None if within is None else DeliverBy(*within),
        **{name: more[name] for name in _PLAIN},
    )
