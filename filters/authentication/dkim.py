"""The filter `dkim` (RFC 6376 §6): verifies the signatures of mail that comes from other servers.

It refuses nothing: DMARC and spam scoring decide by its results. At most eight signatures of a
message are verified; the others are told of in one result. Small messages are verified in the loop
in a fifth of a millisecond, others in a thread.
"""

from collections.abc import Mapping, Sequence

from config.clock import Clock
from filters.authentication.bodies import INLINE, body_digests, is_cheap, is_small
from filters.authentication.dkim_keys import keys_from_dns
from filters.authentication.results import DkimResult, Outcome
from filters.context import Context, Kind, Message
from filters.filter import Filter
from filters.verdict import ACCEPT, Verdict
from message.dkim_body import BodyDigest, BodyForm
from message.dkim_header import Header
from message.dkim_key import PublicKey
from message.dkim_signature import Mentioned
from message.dkim_tags import DkimFault, Status
from message.dkim_verify import DKIM_SIGNATURE, Candidate, candidates, verify
from net.dns import Resolver
from net.threads import Busy, Offload, Pool

_NONE = Verdict(symbols=("R_DKIM_NA",), results=(DkimResult(Outcome.NONE),))
_SYMBOLS = {
    Outcome.PASS: "R_DKIM_ALLOW",
    Outcome.FAIL: "R_DKIM_REJECT",
    Outcome.TEMPERROR: "R_DKIM_TEMPFAIL",
}
_UNUSABLE = "R_DKIM_PERMFAIL"
_OVERLOADED = "not verified: too much to do"

Keys = Mapping[str, PublicKey | DkimFault]


class Dkim(Filter):
    """One DkimResult for each signature that was looked at; one that says NONE without any."""

    name = "dkim"

    def __init__(self, resolver: Resolver, offload: Offload, clock: Clock) -> None:
        self._resolver, self._offload, self._clock = resolver, offload, clock

    async def data(self, context: Context) -> Verdict:
        message = context.message
        if message is None or context.kind is not Kind.MX or context.login is not None:
            return ACCEPT
        if DKIM_SIGNATURE not in message.header.lower():
            return _NONE
        try:
            results = await self._results(message)
        except (Busy, OSError):
            results = [DkimResult(Outcome.TEMPERROR, reason=_OVERLOADED)]
        if not results:
            return _NONE
        symbols = dict.fromkeys(_SYMBOLS.get(one.outcome, _UNUSABLE) for one in results)
        return Verdict(symbols=tuple(symbols), results=tuple(results))

    async def _results(self, message: Message) -> list[DkimResult]:
        now = int(self._clock.now())
        if len(message.header) <= INLINE:
            header, found, others = _read(message.header, now)
        else:
            header, found, others = await self._offload.run(Pool.MIME, _read, message.header, now)
        usable = [one.signature for one in found if one.signature is not None]
        if usable:
            keys = await keys_from_dns(self._resolver, [one.key_name for one in usable])
            digests = await self._digests(message, found, keys)
        else:
            keys, digests = {}, {}
        if is_small(message) and is_cheap(one.algorithm for one in usable):
            results = _verified(header, found, keys, digests)
        else:
            results = await self._offload.run(Pool.MIME, _verified, header, found, keys, digests)
        if others:
            reason = f"{others} more signatures were not looked at"
            results.append(DkimResult(Outcome.POLICY, reason=reason))
        return results

    async def _digests(
        self, message: Message, found: Sequence[Candidate], keys: Keys
    ) -> Mapping[BodyForm, BodyDigest]:
        """Of what has a key: a body is not read for nothing."""
        forms = [
            one.signature.body
            for one in found
            if one.signature is not None and isinstance(keys[one.signature.key_name], PublicKey)
        ]
        return await body_digests(message, forms, self._offload)


def _read(header: bytes, now: int) -> tuple[Header, list[Candidate], int]:
    fields = Header(header)
    found, others = candidates(fields, now)
    return fields, found, others


def _verified(
    header: Header,
    found: Sequence[Candidate],
    keys: Keys,
    digests: Mapping[BodyForm, BodyDigest],
) -> list[DkimResult]:
    return [_result(one.about, *_judged(header, one, keys, digests)) for one in found]


def _judged(
    header: Header, one: Candidate, keys: Keys, digests: Mapping[BodyForm, BodyDigest]
) -> tuple[Status, str]:
    if one.signature is None:
        assert one.fault is not None
        return one.fault.status, one.fault.reason
    key = keys[one.signature.key_name]
    if isinstance(key, DkimFault):
        return key.status, key.reason
    return verify(header, one, key, digests[one.signature.body])


def _result(about: Mentioned, status: Status, reason: str) -> DkimResult:
    return DkimResult(
        Outcome(status.value),
        about.domain,
        about.selector,
        about.agent,
        about.algorithm,
        about.tag,
        reason,
    )
