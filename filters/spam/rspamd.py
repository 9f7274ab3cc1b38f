"""rspamd as an outside scorer: its symbols beside ours, by HTTP (`/checkv2`).

Invariants: it never refuses, loses or holds up a message by not answering: what it does not say in
time counts nothing, with a symbol that tells why; after a failure it rests for a while.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import orjson

from config.clock import Clock
from config.logging import Logger
from config.sections_filters import Rspamd as RspamdSettings
from config.symbols import SYMBOLS
from filters.context import Context, Message
from filters.verdict import ACCEPT, Action, Scored, Verdict
from net.http_plain import HttpError, parse_place, post
from net.threads import Busy, Offload

REST_SECONDS = 10.0
ANSWER_LIMIT = 1024**2
MOST_SYMBOLS = 300
PREFIX = "RSPAMD_"
FAILED = "RSPAMD_FAIL"
TOTAL = "RSPAMD_SCORE"
_PIECE = 256 * 1024
_ACTIONS = {
    "reject": Verdict(Action.REJECT, code=554, status="5.7.1", text="This message looks like spam"),
    "soft reject": Verdict(Action.DEFER, code=451, status="4.7.1", text="Try again later"),
    "greylist": Verdict(Action.DEFER, code=451, status="4.7.1", text="Try again later"),
    "quarantine": Verdict(Action.QUARANTINE),
    "add header": Verdict(Action.JUNK),
    "rewrite subject": Verdict(Action.JUNK),
}


@dataclass(frozen=True, slots=True)
class Outside:
    """What the other one says: symbols that count, and what it would do."""

    scored: tuple[Scored, ...] = ()
    verdict: Verdict = ACCEPT


NOTHING = Outside()


class RspamdError(Exception):
    """Its answer can't be used; the text is one line."""


class Rspamd:
    """Asked by the spam filter."""

    def __init__(
        self, chosen: RspamdSettings, hostname: str, offload: Offload, clock: Clock, log: Logger
    ) -> None:
        self._chosen, self._hostname = chosen, hostname
        self._offload, self._clock, self._log = offload, clock, log
        self._place = parse_place(chosen.url) if chosen.url else None
        self._rests_until = 0.0

    def begin(self, context: Context) -> "asyncio.Task[Outside] | None":
        """Asks while others are at work; None when there is no rspamd."""
        return None if self._place is None else asyncio.create_task(self.check(context))

    async def check(self, context: Context) -> Outside:
        """What rspamd says of the message. Raises nothing."""
        message, place = context.message, self._place
        if place is None or message is None:
            return NOTHING
        if self._clock.monotonic() < self._rests_until:
            return Outside((Scored(FAILED, 0.0, "it failed a moment ago"),))
        try:
            status, body = await post(
                place,
                "/checkv2",
                _headers(context, self._hostname),
                self._octets(message),
                message.content.size,
                limit=ANSWER_LIMIT,
                seconds=self._chosen.timeout,
            )
            if status != 200:
                raise RspamdError(f"it answers with status {status}")
            return self._outside(_parsed(body))
        except (HttpError, RspamdError, OSError, Busy) as error:
            return self._failed(context, str(error))

    def _failed(self, context: Context, reason: str) -> Outside:
        self._rests_until = self._clock.monotonic() + REST_SECONDS
        self._log.warning(
            "rspamd not asked",
            connection=context.connection,
            message=context.trace,
            reason=reason,
        )
        return Outside((Scored(FAILED, 0.0, reason),))

    async def _octets(self, message: Message) -> AsyncIterator[bytes]:
        content = message.content
        yield content.prefix
        if content.data is not None:
            yield content.data
            return
        at = content.start
        while piece := await self._offload.disk(_read, content.path, at):
            yield piece
            at += len(piece)

    def _outside(self, answer: Mapping[str, Any]) -> Outside:
        chosen = self._chosen
        factor = 0.0 if chosen.use == "record" else chosen.weight
        total = _number(answer.get("score"))
        action = answer.get("action")
        told = f"{total:g} points, {action}" if isinstance(action, str) else f"{total:g} points"
        if chosen.use == "score":
            scored = [Scored(TOTAL, round(total * factor, 2), told[:100])]
        else:
            scored = [Scored(TOTAL, 0.0, told[:100]), *_symbols(answer.get("symbols"), factor)]
        verdict = _ACTIONS.get(str(action), ACCEPT) if chosen.follow else ACCEPT
        return Outside(tuple(scored), verdict)


def _symbols(symbols: object, factor: float) -> list[Scored]:
    """Of a symbol that we have too, ours counts: nothing counts twice."""
    if not isinstance(symbols, dict):
        raise RspamdError("it answers without symbols")
    found = []
    for name, one in list(symbols.items())[:MOST_SYMBOLS]:
        if not isinstance(one, dict):
            raise RspamdError("it answers with something else than symbols")
        weight = 0.0 if name in SYMBOLS else round(_number(one.get("score")) * factor, 2)
        found.append(Scored(PREFIX + _clean(name)[:64], weight, _options(one.get("options"))))
    return found


def _options(options: object) -> str:
    if not isinstance(options, list):
        return ""
    return _clean(", ".join(one for one in options[:5] if isinstance(one, str)))[:200]


def _clean(text: str) -> str:
    return "".join(char if " " <= char <= "~" else "?" for char in text)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise RspamdError("it answers with a score that is no number")
    if abs(value) > 10_000:
        raise RspamdError("it answers with a score beyond 10,000")
    return float(value)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise RspamdError("its answer is no JSON") from None
    if not isinstance(answer, dict) or "error" in answer:
        raise RspamdError("its answer is an error")
    return answer


def _headers(context: Context, hostname: str) -> list[tuple[str, str]]:
    """Names of rspamd's protocol; what is unknown is left out."""
    peer, login = context.peer, context.login
    found = [
        ("IP", peer.address),
        ("Hostname", peer.reverse),
        ("Helo", context.helo),
        ("From", context.sender),
        ("User", login.address if login is not None else ""),
        ("Queue-Id", context.trace),
        ("MTA-Name", hostname),
        ("TLS-Version", context.tls.partition(" ")[0]),
        ("TLS-Cipher", context.tls.partition(" ")[2]),
    ]
    rcpt = [("Rcpt", one.address) for one in context.recipients[:100]]
    return [(name, value) for name, value in (*found, *rcpt) if value]


def _read(path: Any, at: int) -> bytes:
    with path.open("rb") as file:
        file.seek(at)
        data: bytes = file.read(_PIECE)
        return data
