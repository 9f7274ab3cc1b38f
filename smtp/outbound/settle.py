"""After an attempt: what is done, what is tried again and when, who is told; then the record.

Invariants: notices are durable before the queue forgets what they are about; results are recorded
until the store takes them, since a delivery that is not recorded is made twice.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Protocol

from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.record import Recorder
from message.dsn import Action
from net.threads import Offload
from smtp.outbound.deadline import (
    end_of_life,
    expired_status,
    hears_of_delay,
    hears_of_relay,
    late_at,
    next_look,
)
from smtp.outbound.notice import Told, build_notice, wanted
from smtp.outbound.results import Kind, Outcome, given_up
from smtp.outbound.schedule import next_attempt
from storage.errors import StoreError
from storage.queue import QueueStore
from storage.queue_values import Claim, ClaimedRecipient, Result, State
from storage.values import AccountId

NOTICE_FAILED_RETRY = 300.0
RECORD_RETRY = (0.5, 1.0, 2.0, 5.0, 10.0, 10.0, 10.0)


class NoticeDelivery(Protocol):
    """Takes a notice for a local mailbox or the queue, with the null sender; durable after it."""

    async def deliver_notice(
        self, recipient: str, message: bytes, *, require_tls: bool = False
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class _Decision:
    recipient: ClaimedRecipient
    outcome: Outcome
    result: Result
    action: Action | None = None


@dataclass(frozen=True, slots=True)
class _When:
    """The time, chance for the next attempt, and its time where that is known."""

    now: float
    chance: float
    again: float | None

    def next(self, attempts: int, expires: float) -> float | None:
        """Unix seconds of the next attempt; None when life is over."""
        if self.again is not None and self.now < expires:
            return min(self.again, expires)
        return next_attempt(attempts, self.now, expires, self.chance)


Finished = Callable[[AccountId, str, Sequence[tuple[str, dict[str, Any]]]], Awaitable[None]]
"""Told of recipients of an account's message that are finished: its sender, and of each a key and
what came of it.
"""


class Settler:
    """Decides for one configuration, records in one queue."""

    def __init__(
        self,
        settings: Settings,
        queue: QueueStore,
        notices: NoticeDelivery,
        clock: Clock,
        offload: Offload,
        chance: Random,
        log: Logger,
        recorder: Recorder | None = None,
        finished: Finished | None = None,
    ) -> None:
        self._finished = finished
        self._recorder = recorder or Recorder(clock)
        self._settings, self._queue, self._notices = settings, queue, notices
        self._clock, self._offload, self._chance, self._log = clock, offload, chance, log

    async def settle(
        self, claim: Claim, outcomes: Mapping[int, Outcome], *, again: float | None = None
    ) -> None:
        """Records the outcomes (by position) and tells the sender; what waits is tried at `again`
        if that is given. Raises StoreError only after the store refused for half a minute.
        """
        await self.record(claim, await self.note(claim, outcomes, again=again))

    async def note(
        self, claim: Claim, outcomes: Mapping[int, Outcome], *, again: float | None = None
    ) -> Mapping[int, Result]:
        """The first half: decides, tells the sender, and notes in the file what is finished, so
        that a process killed after it sends nothing again. `record` takes what it returns.
        """
        now = self._clock.now()
        # The same chance for all of them: recipients of one message stay in one transaction.
        chance = self._chance.random()
        decisions = [
            self._decide(claim, recipient, outcomes[recipient.position], _When(now, chance, again))
            for recipient in claim.recipients
            if recipient.position in outcomes
        ]
        if any(decision.action is not None for decision in decisions):
            decisions = await self._tell(claim, decisions, now)
        for decision in decisions:
            self._report(claim, decision)
        if self._finished is not None and claim.account is not None:
            done = [one for one in (_finished(claim, each) for each in decisions) if one]
            await self._finished(claim.account, claim.sender, done)
        results = {d.recipient.position: d.result for d in decisions}
        await self._queue.note(claim, results)
        return results

    async def bounce(self, claim: Claim) -> None:
        """Fails all of the claim's recipients because the operator says so."""
        text = "returned by the administrator of this server"
        outcomes = {
            recipient.position: given_up(recipient.last_reply, text)
            for recipient in claim.recipients
        }
        await self.settle(claim, outcomes)

    def _decide(
        self,
        claim: Claim,
        recipient: ClaimedRecipient,
        outcome: Outcome,
        when: "_When",
    ) -> _Decision:
        if outcome.kind is Kind.TEMPORARY:
            return self._postpone(claim, recipient, outcome, when)
        if outcome.kind is Kind.DELIVERED:
            result, action = Result(State.DELIVERED, outcome.line), Action.RELAYED
            told = hears_of_relay(claim, recipient, outcome)
        else:
            result, action = Result(State.FAILED, outcome.line), Action.FAILED
            told = wanted(action, recipient.notify, claim.sender)
        return _Decision(recipient, outcome, result, action if told else None)

    def _postpone(
        self,
        claim: Claim,
        recipient: ClaimedRecipient,
        outcome: Outcome,
        when: "_When",
    ) -> _Decision:
        limits = self._settings.outbound
        expires = end_of_life(claim, limits.life)
        again = when.next(recipient.attempts + 1, expires)
        if again is None:
            # RFC 3463 X.4.7: delivery time expired; the diagnostic keeps the peer's last words.
            expired = replace(outcome, kind=Kind.PERMANENT, status=expired_status(claim))
            return self._decide(claim, recipient, expired, when)
        late = when.now >= late_at(claim, limits.delay_notice_after)
        told = late and not recipient.delay_noticed and hears_of_delay(claim, recipient)
        again = next_look(claim, when.now, again)
        result = Result(State.WAITING, outcome.line, again, recipient.delay_noticed or told)
        return _Decision(recipient, outcome, result, Action.DELAYED if told else None)

    async def _tell(self, claim: Claim, decisions: list[_Decision], now: float) -> list[_Decision]:
        """Sends one notice for each action. Without it nothing is final: those whose notice could
        not be stored are tried again a little later.
        """
        untold: set[Action] = set()
        for action in {d.action for d in decisions if d.action is not None}:
            told = [self._told(claim, d) for d in decisions if d.action is action]
            try:
                message = await self._offload.disk(
                    build_notice, claim, told, self._settings.hostname, now
                )
                await self._notices.deliver_notice(
                    claim.sender, message, require_tls=claim.require_tls
                )
            except StoreError as error:
                self._log.error("notice not stored", message=claim.trace, error=str(error))
                untold.add(action)
        return [_retold(d, now) if d.action in untold else d for d in decisions]

    def _told(self, claim: Claim, decision: _Decision) -> Told:
        assert decision.action is not None
        until = end_of_life(claim, self._settings.outbound.life)
        return Told(
            decision.recipient,
            decision.action,
            decision.outcome,
            until if decision.action is Action.DELAYED else None,
        )

    def _report(self, claim: Claim, decision: _Decision) -> None:
        self._log.info(
            "sent" if decision.result.state is State.DELIVERED else "not sent",
            message=claim.trace,
            queue=str(claim.queue),
            recipient=decision.recipient.address,
            state=decision.result.state.name.lower(),
            status=decision.outcome.status,
            reply=decision.result.reply,
            tls=decision.outcome.tls,
            **({"source": decision.outcome.source} if decision.outcome.source else {}),
        )
        self._recorder.attempt(claim.trace, claim.queue, _recorded(decision))

    async def record(self, claim: Claim, results: Mapping[int, Result]) -> None:
        """The second half."""
        for seconds in RECORD_RETRY:
            try:
                recorded = await self._queue.record(claim, results)
            except StoreError as error:
                self._log.error("result not recorded", message=claim.trace, error=str(error))
                await asyncio.sleep(seconds)
                continue
            if len(recorded.applied) < len(results):
                self._log.warning("lease lost, result not recorded", message=claim.trace)
            return
        await self._queue.record(claim, results)


def _finished(claim: Claim, decision: _Decision) -> tuple[str, dict[str, Any]] | None:
    state, outcome = decision.result.state, decision.outcome
    if state not in (State.DELIVERED, State.FAILED):
        return None
    return f"q{claim.queue}-{decision.recipient.position}", {
        "delivered": state is State.DELIVERED,
        "to": decision.recipient.address,
        "status": outcome.status,
        "reply": outcome.text,
        "remote": outcome.remote,
        "message": claim.trace,
    }


def _recorded(decision: _Decision) -> Mapping[str, object]:
    outcome, result = decision.outcome, decision.result
    return {
        "recipient": decision.recipient.address,
        "attempt": decision.recipient.attempts + 1,
        "state": result.state.name.lower(),
        "status": outcome.status,
        "reply": outcome.text,
        "remote": outcome.remote,
        "tls": outcome.tls,
        "source": outcome.source,
        "next": result.next_attempt if result.state is State.WAITING else None,
        "told": decision.action.value if decision.action is not None else "",
    }


def _retold(decision: _Decision, now: float) -> _Decision:
    """A delivered recipient stays delivered; the others wait for another try."""
    if decision.result.state is State.DELIVERED:
        return decision
    again = Result(
        State.WAITING,
        decision.result.reply,
        now + NOTICE_FAILED_RETRY,
        decision.recipient.delay_noticed,
    )
    return replace(decision, result=again)
