"""One run of a SASL mechanism from its first response to a login, for every protocol.

The protocol carries challenges and answers; what is between them is decided by auth/sasl and
auth/login.py. A store that can't be reached raises StoreUnavailable.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from auth.caller import Caller
from auth.login import Authenticator
from auth.login_values import Cause, Login, Refused
from auth.sasl.exchange import (
    CANCELLED,
    Bearer,
    Challenge,
    Credentials,
    Exchange,
    External,
    Failure,
    Final,
    NeedsKeys,
    Step,
    Unproved,
    Verified,
    malformed,
)

Ask = Callable[[bytes], Awaitable[bytes | Failure]]
"""Sends a challenge, in base64, and gives the client's line, or why there is none."""


@dataclass(frozen=True, slots=True)
class Success:
    """`data`, in base64, goes with the success; b"" when there is none or the client has it."""

    login: Login
    data: bytes = field(default=b"", repr=False)


async def run_exchange(
    authenticator: Authenticator,
    exchange: Exchange,
    initial: bytes | None,
    ask: Ask,
    caller: Caller,
    *,
    takes_data: bool = False,
) -> Success | Refused | Failure:
    """`initial` as in Exchange.start. `takes_data`: the protocol's success can carry data (RFC
    5804 §1.3); else it goes before, as a challenge with an empty answer (RFC 4422 §3.6).
    """
    step: Step = exchange.start(initial)
    while isinstance(step, Challenge | NeedsKeys):
        if isinstance(step, NeedsKeys):
            step = step.take(await authenticator.scram_keys(step.user, step.mechanism, caller))
            continue
        answer = await ask(step.wire)
        step = answer if isinstance(answer, Failure) else exchange.step(answer)
    if isinstance(step, Failure):
        return step
    outcome = await _judge(authenticator, step, caller)
    if isinstance(outcome, Refused):
        if isinstance(step, Bearer) and not outcome.temporary:
            await ask(Challenge(step.error).wire)
        return outcome
    data = Challenge(step.data).wire if isinstance(step, Verified) else b""
    if data and not takes_data:
        answer = await ask(data)
        if isinstance(answer, Failure) or answer == b"*":
            return answer if isinstance(answer, Failure) else CANCELLED
        if answer:
            return malformed("An empty response was expected")
        data = b""
    if isinstance(step, Verified) and not await authenticator.still_proved(step, caller):
        return Refused(Cause.CREDENTIALS)
    return Success(outcome, data)


async def _judge(authenticator: Authenticator, final: Final, caller: Caller) -> Login | Refused:
    match final:
        case Credentials(user, password, acting):

            async def verify() -> Login | Refused:
                return await authenticator.login(
                    user,
                    password,
                    peer=caller.peer,
                    protocol=caller.protocol,
                    connection=caller.connection,
                    client=caller.client,
                )

            if acting:
                return await authenticator.acting.login(acting, caller, verify)
            return await verify()
        case Verified(user, mechanism, keys):
            return await authenticator.login_scram(user, keys, mechanism, caller)
        case Unproved(user, mechanism):
            return await authenticator.login_scram(user, None, mechanism, caller)
        case Bearer(user, token):
            return await authenticator.login_bearer(user, token, caller)
        case External(user, names):
            return await authenticator.login_external(user, names, caller)
        case Failure():
            raise AssertionError("a failure is no outcome to judge")
