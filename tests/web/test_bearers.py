"""How a token that is refused is told: alike wherever tokens are taken."""

from typing import Any, cast

import pytest
from starlette.requests import Request

from auth.caller import Caller
from auth.login_values import Cause, Refused
from auth.service import Fault, Problem
from storage.credential_values import Protocol
from web.bearers import Bearers


@pytest.mark.parametrize(
    ("cause", "fault"),
    [
        (Cause.THROTTLED, Fault.TOO_MANY),
        (Cause.BUSY, Fault.BUSY),
        (Cause.CREDENTIALS, Fault.TOKEN),
    ],
)
async def test_a_refused_token(cause: Cause, fault: Fault) -> None:
    class Refusing:
        async def login(self, _authorization: str, _caller: Caller) -> Refused:
            return Refused(cause)

    nothing = cast(Any, None)
    bearers = Bearers(cast(Any, Refusing()), nothing, nothing, nothing)
    scope = {"type": "http", "method": "GET", "headers": [(b"authorization", b"Bearer a")]}
    with pytest.raises(Problem) as refused:
        await bearers.login(Request(scope), Caller("192.0.2.1", Protocol.WEB), Protocol.JMAP)
    assert refused.value.fault is fault
    assert (refused.value.wait > 0) == (fault is not Fault.TOKEN)
