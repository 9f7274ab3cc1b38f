"""The filter `arc` (RFC 8617 §5.2): validates the chain that forwarders and lists have left.

It refuses nothing. Without an earlier result in the transaction it validates; `ArcValidator` does
it for DMARC as well, which may ask before.
"""

from config.clock import Clock
from filters.authentication.bodies import INLINE, body_digests, is_cheap, is_small
from filters.authentication.dkim_keys import keys_from_dns
from filters.authentication.results import ArcResult, Outcome
from filters.context import Context, Kind, Message
from filters.filter import Filter
from filters.verdict import ACCEPT, Verdict
from message.arc import ChainBroken
from message.arc_validate import Chain, check_latest, check_seals, read_chain
from message.dkim_header import Header
from message.dkim_tags import DkimFault, Status
from net.dns import Resolver
from net.threads import Busy, Offload, Pool

_NONE = ArcResult(Outcome.NONE)
_SYMBOLS = {Outcome.NONE: "ARC_NA", Outcome.PASS: "ARC_ALLOW", Outcome.FAIL: "ARC_REJECT"}
_OVERLOADED = ArcResult(Outcome.FAIL, reason="not validated: too much to do", temporary=True)


class ArcValidator:
    """The ArcResult of the message in a context."""

    def __init__(self, resolver: Resolver, offload: Offload, clock: Clock) -> None:
        self._resolver, self._offload, self._clock = resolver, offload, clock

    async def __call__(self, context: Context) -> ArcResult:
        """What an earlier call found, or the validation; raises nothing."""
        for one in context.results:
            if isinstance(one, ArcResult):
                return one
        message = context.message
        if message is None or b"\narc-" not in b"\n" + message.header.lower():
            return _NONE
        try:
            return await self._validate(message)
        except ChainBroken as broken:
            return ArcResult(Outcome.FAIL, reason=str(broken))
        except DkimFault as fault:
            temporary = fault.status is Status.TEMPERROR
            return ArcResult(Outcome.FAIL, reason=fault.reason, temporary=temporary)
        except (Busy, OSError):
            return _OVERLOADED

    async def _validate(self, message: Message) -> ArcResult:
        now = int(self._clock.now())
        if len(message.header) <= INLINE:
            header, chain = _read(message.header, now)
        else:
            header, chain = await self._offload.run(Pool.MIME, _read, message.header, now)
        if chain is None:
            return _NONE
        latest = chain.signature
        keys = await keys_from_dns(self._resolver, [latest.key_name])
        digests = await body_digests(message, [latest.body], self._offload)
        check_latest(header, chain, keys, digests[latest.body])
        # The names of the seals are asked for only when somebody signed what is here.
        others = [name for name in chain.key_names if name not in keys]
        if others:
            keys |= await keys_from_dns(self._resolver, others)
        if is_small(message) and is_cheap(seal.algorithm for seal in chain.seals):
            check_seals(header, chain, keys)
        else:
            await self._offload.run(Pool.MIME, check_seals, header, chain, keys)
        return ArcResult(
            Outcome.PASS,
            tuple(seal.domain for seal in chain.seals),
            tuple(header.value(one.results).strip(b" \t\r\n") for one in chain.sets),
        )


class Arc(Filter):
    """One ArcResult for each message of another server, unless an earlier filter has it told."""

    name = "arc"

    def __init__(self, validator: ArcValidator) -> None:
        self._validator = validator

    async def data(self, context: Context) -> Verdict:
        if context.message is None or context.kind is not Kind.MX or context.login is not None:
            return ACCEPT
        result = await self._validator(context)
        symbol = "ARC_DNSFAIL" if result.temporary else _SYMBOLS[result.outcome]
        told = any(one is result for one in context.results)
        return Verdict(symbols=(symbol,), results=() if told else (result,))


def _read(header: bytes, now: int) -> tuple[Header, Chain | None]:
    fields = Header(header)
    return fields, read_chain(fields, now)
