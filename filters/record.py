"""The record of a message: gathered from what its way through the server left in context and
envelope, for storage/explain.py.

Invariants: nothing here waits or fails a message; what is kept of one message is bounded, and so
is how many refusals are kept, of one address and in all.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from config.clock import Clock
from filters.asked import Asked
from filters.authentication.statements import lines_of
from filters.context import Context, Message, Recipient
from filters.envelope import Envelope
from filters.spam.result import SpamResult
from filters.verdict import ACCEPT, Scored, Verdict
from message.headers import first
from message.words import decode_words
from net.limits import Gcra, address_key
from storage.explain_values import Happening, Kind, cut
from storage.values import Delivery, DeliveryResult

HEAD = 8 * 1024
"""Octets of a header in which Message-ID, From and Subject are looked for."""
RECIPIENTS = 20
SYMBOLS = 100
COPIES = 1000
REFUSED_BY_ADDRESS = 30
REFUSED_IN_ALL = 1200
"""Refusals a minute that are recorded; the others are counted."""
_EVERYBODY = "all"
Data = dict[str, Any]


class Writer(Protocol):
    """Takes a happening and writes it later."""

    def put(self, happening: Happening) -> None: ...


class Recorder:
    """One for all protocols. Without a writer nothing is kept."""

    def __init__(self, clock: Clock, writer: Writer | None = None) -> None:
        self._clock, self._writer = clock, writer
        self._by_address = Gcra(REFUSED_BY_ADDRESS, clock)
        self._in_all = Gcra(REFUSED_IN_ALL, clock)
        self._unrecorded = 0

    def message(
        self,
        envelope: Envelope,
        message: Message,
        verdict: Verdict,
        answer: tuple[int, str, str],
        stored: Sequence[tuple[Delivery, DeliveryResult]] = (),
        scripts: Sequence[tuple[int, Sequence[str]]] = (),
    ) -> None:
        """A whole message, and what became of it: jobs of the store, what decided by account."""
        if self._writer is None:
            return
        at, head = self._clock.now(), message.header[:HEAD]
        # what waits to be written must not hold the message itself in memory
        size = message.content.size
        queued = [address for job, _ in stored for address in _queued(job)]
        copies = [copy for one in stored for copy in _copies(*one)]
        account, blob, first = copies[0] if copies else (None, None, None)

        def make() -> Data:
            return _message(envelope, head, verdict, answer, size) | {
                "copy": first,
                "copies": len(copies),
                "queued": queued,
                "scripts": [[number, *map(cut, told)] for number, told in scripts[:RECIPIENTS]],
            }

        queue = max((one.queue_id or 0 for _, one in stored), default=0) or None
        named = _message_id(head)
        self._put(envelope.trace, Kind.MESSAGE, make, "", named, queue, account, blob, at)
        for account, blob, copy in copies[1:COPIES]:
            data = {"copy": copy}
            self._put(envelope.trace, Kind.COPY, data.copy, "", "", None, account, blob, at)

    def refused(
        self,
        context: Context,
        ident: str,
        stage: str,
        answer: tuple[int, str, str],
        *,
        sender: str,
        recipient: str,
        symbols: Sequence[str],
    ) -> None:
        """A refusal by policy, under the id that its reply carries."""
        if self._writer is None or not self._may_record(context.peer.address):
            return
        head = context.message.header[:HEAD] if context.message is not None else b""
        asked, spam = tuple(context.asked.values()), context.spam
        before, self._unrecorded = self._unrecorded, 0
        data = _peer(context) | {
            "stage": stage,
            "sender": cut(sender),
            "answer": [answer[0], answer[1], cut(answer[2])],
            "symbols": [cut(one) for one in symbols[:SYMBOLS]],
        }
        data |= {"recipient": cut(recipient)} if recipient else {}
        data |= {"unrecorded": before} if before else {}
        names = [cut(one.address) for one in context.recipients[:RECIPIENTS]]

        def make() -> Data:
            return data | {
                "asked": _asked(asked),
                "header": _header(head),
                "recipients": names,
                "spam": _spam(spam),
            }

        trace = context.trace or context.connection
        self._put(trace, Kind.REFUSED, make, ident, _message_id(head))

    def attempt(self, trace: str, queue: int, data: Mapping[str, Any]) -> None:
        """One recipient of one attempt to hand a message on: recipient, state, status, reply,
        remote, tls, source, next.
        """
        if self._writer is not None:
            kept = {key: cut(one) if isinstance(one, str) else one for key, one in data.items()}
            self._put(trace, Kind.ATTEMPT, lambda: kept, queue=queue)

    def happened(
        self, trace: str, kind: Kind, data: Mapping[str, Any], message_id: str = ""
    ) -> None:
        """Anything else that happened to a message that was taken."""
        if self._writer is not None:
            self._put(trace, kind, lambda: data, message_id=message_id)

    def _may_record(self, address: str) -> bool:
        if self._by_address.take(address_key(address)) and self._in_all.take(_EVERYBODY):
            return True
        self._unrecorded += 1
        return False

    def _put(
        self,
        trace: str,
        kind: Kind,
        make: Any,
        ident: str = "",
        message_id: str = "",
        queue: int | None = None,
        account: int | None = None,
        blob: int | None = None,
        at: float | None = None,
    ) -> None:
        assert self._writer is not None
        when = self._clock.now() if at is None else at
        self._writer.put(
            Happening(when, trace, kind, make, ident, message_id, queue, account, blob)
        )


def _message(
    envelope: Envelope, head: bytes, verdict: Verdict, answer: tuple[int, str, str], size: int
) -> Data:
    source = envelope.source
    return {
        "how": envelope.kind.value,
        "peer": {
            "address": source.address,
            "port": source.port,
            "reverse": cut(source.reverse),
            "helo": cut(source.helo),
            "tls": source.tls,
            "protocol": source.protocol,
            "connection": envelope.connection,
            "login": source.login,
        },
        "by": envelope.account,
        "sender": cut(envelope.sender),
        "recipients": [_recipient(one) for one in envelope.recipients[:RECIPIENTS]],
        "count": len(envelope.recipients),
        "size": size,
        "header": _header(head),
        "asked": _asked(envelope.asked),
        "verdict": _verdict(verdict),
        "authentication": [cut(line) for line in lines_of(envelope.results)[:20]],
        "answer": [answer[0], answer[1], cut(answer[2])],
        "hold_until": envelope.hold_until,
        "spam": _spam(envelope.spam),
    }


def _peer(context: Context) -> Data:
    peer, login = context.peer, context.login
    return {
        "how": context.kind.value,
        "peer": {
            "address": peer.address,
            "port": peer.port,
            "reverse": cut(peer.reverse),
            "helo": cut(context.helo),
            "tls": context.tls,
            "connection": context.connection,
            "login": login.address if login is not None else "",
        },
        "by": login.account if login is not None else None,
    }


def _recipient(one: Recipient) -> Data:
    found = one.resolution
    return {
        "address": cut(one.address),
        "accounts": [target.account for target in found.local[:RECIPIENTS]],
        "remote": [cut(address) for address in found.remote[:RECIPIENTS]],
    }


def _asked(stages: Sequence[Sequence[Asked]]) -> list[list[Any]]:
    """[stage, filter, milliseconds] and, where there is more to tell, a mapping."""
    return [_answer(one) for stage in stages for one in stage]


def _answer(one: Asked) -> list[Any]:
    told: list[Any] = [one.stage, one.filter, round(one.seconds * 1000, 2)]
    more = _verdict(one.verdict) if one.verdict is not ACCEPT else {}
    if one.error:
        more["error"] = cut(one.error)
    if one.skipped:
        more["skipped"] = True
    return [*told, more] if more else told


def _verdict(verdict: Verdict) -> Data:
    data: Data = {"action": verdict.action.name.lower()}
    if verdict.scored:
        data["score"] = round(verdict.score, 3)
        data["scored"] = _scored(verdict.scored)
    if verdict.symbols:
        data["symbols"] = [cut(one) for one in verdict.symbols[:SYMBOLS]]
    if verdict.keywords:
        data["keywords"] = sorted(verdict.keywords)[:RECIPIENTS]
    if verdict.code:
        data["answer"] = [verdict.code, verdict.status, cut(verdict.text)]
    return data


def _spam(result: SpamResult | None) -> Data | None:
    if result is None:
        return None
    return {
        "score": result.score,
        "scored": _scored(result.scored),
        "probability": result.probability,
        "junk_at": result.junk_at,
    }


def _scored(scored: Sequence[Scored]) -> list[list[Any]]:
    return [[cut(one.name), round(one.weight, 3), cut(one.detail, 120)] for one in scored[:SYMBOLS]]


def _header(head: bytes) -> Data:
    found = ((name, first(head, name.encode())) for name in ("from", "subject"))
    return {name: cut(decode_words(value)) for name, value in found if value}


def _message_id(head: bytes) -> str:
    """With its brackets where it has some; "" where there is none or a monster."""
    value = first(head, b"message-id") or b""
    start, end = value.find(b"<"), value.find(b">")
    if 0 <= start < end:
        value = value[start : end + 1]
    return value.decode("ascii", "replace") if len(value) <= 250 else ""


def _copies(
    job: Delivery, result: DeliveryResult
) -> list[tuple[int | None, int | None, Data | None]]:
    return [
        (
            done.account,
            done.blob or None,
            {
                "address": cut(wanted.address),
                "mailbox": cut(wanted.mailbox),
                "box": done.mailbox,
                "uid": done.uid,
                "modseq": done.modseq,
                "keywords": sorted(wanted.flags.keywords)[:RECIPIENTS],
                "resend": not done.blob,
            },
        )
        for wanted, done in zip(job.local, result.local, strict=True)
    ]


def _queued(job: Delivery) -> list[str]:
    return [cut(one.address) for one in job.queued[:RECIPIENTS]]
