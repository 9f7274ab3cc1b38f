"""Failure reports (RFC 9991): sent at once, to those who ask for them, if `reports.failure` is set.

They reveal whose mail arrives here, so they are off by default. Invariants: no message waits for
one; like failures of a day are reported once; a domain gets at most PER_DAY a day; nothing is
reported about what a program sent, or two servers could report to each other for ever.
"""

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.authentication.dmarc_evaluation import Aligned, Evaluation
from filters.authentication.results import DkimResult, DmarcResult, Outcome, SpfResult
from filters.authentication.statements import statements_of
from filters.context import Context
from filters.delivery import Delivery
from filters.reporting.collector import DAY
from filters.reporting.destinations import permitted
from filters.reporting.dmarc_builder import contact_of
from message.authentication_results import build_payload
from message.dmarc_record import Psd, Record
from message.failure_report import FailureReport, build_failure_report
from message.headers import first
from net.dns import DnsError, DnsUnavailable, Resolver
from storage.errors import StoreError

PER_DAY = 50
MAX_WAITING = 100
MAX_KNOWN = 50_000
_DELIVERY = {"reject": "reject", "quarantine": "spam"}


@dataclass(frozen=True, slots=True)
class _Failure:
    """What is to be reported, and to the destinations of which record."""

    domain: str
    record: Record
    report: FailureReport


class FailureReporter:
    """One a process. `start` it to have it send; `stop` forgets what still waits."""

    def __init__(
        self, settings: Settings, resolver: Resolver, delivery: Delivery, clock: Clock, log: Logger
    ) -> None:
        self._settings, self._resolver = settings, resolver
        self._delivery, self._clock, self._log = delivery, clock, log
        self._waiting: asyncio.Queue[_Failure] = asyncio.Queue(MAX_WAITING)
        self._task: asyncio.Task[None] | None = None
        self._known: set[tuple[str, ...]] = set()
        self._sent = Counter[str]()
        self._day = 0

    def reload(self, settings: Settings) -> None:
        self._settings = settings

    def start(self) -> None:
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    def __call__(self, context: Context, found: Evaluation, result: DmarcResult) -> None:
        """Notes what the filter `dmarc` found of a message. Never waits."""
        if not self._settings.reports.failure or found.applied is None:
            return
        record = found.applied.found.record
        failure = failure_of(context, found, result)
        if not failure or not record.ruf or record.psd is Psd.YES or _is_automatic(context):
            return
        if not self._is_news(context, found, failure):
            return
        report = self._describe(context, found, result, failure)
        if not self._waiting.full():
            self._waiting.put_nowait(_Failure(found.applied.found.domain, record, report))

    async def send(self) -> None:
        """Sends the next one that waits. Raises StoreError."""
        failure = await self._waiting.get()
        try:
            wanted = await permitted(self._resolver, failure.domain, failure.record.ruf, tag="ruf")
        except DnsUnavailable:
            return
        report = await self._with_spf(failure.report)
        for uri in wanted:
            addressed = replace(
                report,
                recipient=uri.address,
                message_id=f"{secrets.token_hex(12)}@{self._settings.hostname}",
            )
            await self._delivery.deliver_notice(uri.address, build_failure_report(addressed))

    def _is_news(self, context: Context, found: Evaluation, failure: str) -> bool:
        """Whether such a failure was not reported today, and the domain had not enough of them."""
        day = int(self._clock.now() // DAY)
        if day != self._day or len(self._known) >= MAX_KNOWN:
            self._day, self._known, self._sent = day, set(), Counter()
        path = (found.domain, context.peer.address, context.sender.rpartition("@")[2], failure)
        if path in self._known or self._sent[found.organisation] >= PER_DAY:
            return False
        self._known.add(path)
        self._sent[found.organisation] += 1
        return True

    def _describe(
        self, context: Context, found: Evaluation, result: DmarcResult, failure: str
    ) -> FailureReport:
        now = datetime.fromtimestamp(self._clock.now(), UTC)
        said = (("dkim", found.dkim), ("spf", found.spf))
        assert context.message is not None
        return FailureReport(
            sender=contact_of(self._settings),
            recipient="",
            message_id="",
            now=now,
            failure=failure,
            domain=found.domain,
            source=context.peer.address.partition("%")[0],
            arrival=now,
            mail_from=context.sender,
            delivery=_DELIVERY.get(result.disposition, "delivered"),
            unaligned=tuple(name for name, aligned in said if aligned is not Aligned.PASS),
            results=build_payload(
                self._settings.hostname, statements_of([*context.results, result])
            ),
            header=context.message.header,
            dkim=_failed_signature(context, found),
            spf=(_failed_sender(context, found), ""),
        )

    async def _with_spf(self, report: FailureReport) -> FailureReport:
        domain, _ = report.spf
        if not domain:
            return report
        texts: Sequence[bytes] = ()
        with contextlib.suppress(DnsError):
            texts = await self._resolver.txt(domain)
        record = next((text for text in texts if text.lower().startswith(b"v=spf1")), b"")
        return replace(report, spf=(domain, record.decode("ascii", "replace")))

    async def _work(self) -> None:
        while True:
            try:
                await self.send()
            except StoreError as error:
                self._log.warning("failure report not sent", reason=str(error))
            except Exception:
                self._log.exception("failure report not sent")


def failure_of(context: Context, found: Evaluation, result: DmarcResult) -> str:
    """The kind of failure that `fo` asks to hear of (RFC 9989 §4.7), or ""."""
    assert found.applied is not None
    wanted = found.applied.found.record.fo
    aligned = (found.spf, found.dkim)
    if "0" in wanted and result.outcome is Outcome.FAIL:
        return "dmarc"
    if "1" in wanted and any(one is not Aligned.PASS for one in aligned):
        return "dmarc"
    if "d" in wanted and _has_failed(context, DkimResult):
        return "signature"
    return "spf" if "s" in wanted and _has_failed(context, SpfResult) else ""


def _has_failed(context: Context, kind: type[DkimResult] | type[SpfResult]) -> bool:
    bad = (Outcome.FAIL, Outcome.SOFTFAIL, Outcome.PERMERROR)
    return any(isinstance(one, kind) and one.outcome in bad for one in context.results)


def _is_automatic(context: Context) -> bool:
    if not context.sender or context.message is None:
        return True
    submitted = first(context.message.header, b"Auto-Submitted") or b"no"
    kind = first(context.message.header, b"Content-Type") or b""
    return submitted.lower() != b"no" or kind.lower().startswith(b"multipart/report")


def _failed_signature(context: Context, found: Evaluation) -> tuple[str, str, str]:
    """Of the author's organization, so that others' signatures are not passed on."""
    signed = (one for one in context.results if isinstance(one, DkimResult))
    for one in signed:
        if one.outcome is not Outcome.PASS and _belongs(one.domain, found):
            return one.domain, one.agent, one.selector
    return "", "", ""


def _failed_sender(context: Context, found: Evaluation) -> str:
    checked = (one for one in context.results if isinstance(one, SpfResult))
    for one in checked:
        if one.outcome is not Outcome.PASS and _belongs(one.domain, found):
            return one.domain
    return ""


def _belongs(domain: str, found: Evaluation) -> bool:
    return bool(domain) and f".{domain}".endswith(f".{found.organisation}")
