"""Sends what was counted: once a day, a report for each domain that asked for one.

Invariants: what was counted is forgotten only when its mails are durably queued; a report that is
sent twice after a crash has the same id; a domain whose DNS does not answer waits, at most
KEEP_DAYS.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.delivery import Delivery
from filters.reporting.collector import DAY
from net.dns import DnsUnavailable
from storage.errors import StoreError
from storage.report_values import Kind, Pending
from storage.reports import Reports

KEEP_DAYS = 3
LOOK_EVERY = 600.0
BETWEEN = 0.05
# Reports of everybody at midnight would meet at the same servers.
GRACE = 1_800.0


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One mail to one address."""

    recipient: str
    message: bytes


class ReportDelayed(Exception):
    """Who wants the report does not take it at the moment; the text says why."""


class Builder(Protocol):
    """Makes the mails of one kind of report. Raises DnsUnavailable and ReportDelayed to be asked
    again later.
    """

    def reload(self, settings: Settings) -> None:
        """Takes a changed configuration."""

    async def build(
        self, pending: Pending, rows: AsyncIterator[tuple[str, str, int]]
    ) -> list[Outgoing]:
        """The mails of a report from its (head, detail, count) rows; none if nobody wants it."""


class ReportSender:
    """`start` it to have it look now and then; without `reports.send` the counters are dropped."""

    def __init__(
        self,
        reports: Reports,
        delivery: Delivery,
        builders: Mapping[Kind, Builder],
        settings: Settings,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._reports, self._delivery, self._builders = reports, delivery, builders
        self._clock, self._log = clock, log
        self._task: asyncio.Task[None] | None = None
        self._enabled = settings.reports.send

    def reload(self, settings: Settings) -> None:
        """Takes [reports] of a changed configuration."""
        self._enabled = settings.reports.send
        for builder in self._builders.values():
            builder.reload(settings)

    def start(self) -> None:
        """Looks for due reports from here on."""
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Ends after the mail under way."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    async def send_due(self) -> int:
        """Queues every report of days that are over; how many mails. Raises StoreError."""
        now = self._clock.now()
        sent = 0
        for pending in await self._reports.pending(int((now - GRACE) // DAY)):
            sent += await self._send(pending, int(now // DAY))
            await asyncio.sleep(BETWEEN)
        return sent

    async def _send(self, pending: Pending, today: int) -> int:
        mails = await self._build(pending)
        if mails is None and today - pending.day <= KEEP_DAYS:
            return 0
        for mail in mails or ():
            await self._delivery.deliver_notice(mail.recipient, mail.message, asked_for=True)
        await self._reports.forget(pending)
        if mails:
            to = [mail.recipient for mail in mails]
            self._log.info("report sent", kind=pending.kind.value, domain=pending.domain, to=to)
        return len(mails or ())

    async def _build(self, pending: Pending) -> list[Outgoing] | None:
        """None when it can't be made now; one that fails keeps no other from being sent."""
        builder = self._builders.get(pending.kind) if self._enabled else None
        if builder is None:
            return []
        try:
            return await builder.build(pending, self._rows(pending))
        except (DnsUnavailable, ReportDelayed) as error:
            self._log.warning("report waits", domain=pending.domain, reason=str(error))
        except StoreError:
            raise
        except Exception:
            self._log.exception("report not made", domain=pending.domain)
        return None

    def _rows(self, pending: Pending) -> AsyncIterator[tuple[str, str, int]]:
        return self._reports.counts(pending)

    async def _work(self) -> None:
        while True:
            try:
                await self.send_due()
            except StoreError as error:
                self._log.warning("reports not sent", reason=str(error))
            except Exception:
                self._log.exception("reports not sent")
            await asyncio.sleep(LOOK_EVERY)
