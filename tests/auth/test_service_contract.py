"""What the AuthService says of passkeys and second factors goes over the wire as it is."""

import json

from auth.caller import Caller
from auth.service import FactorState, Fault, NewFactor, PasskeyInfo, Problem
from auth.service_contract import AUTH
from storage.credential_values import Protocol

KEY = PasskeyInfo(3, "Key", 1.5, None, "", False, True)


def test_passkeys_and_codes_between_processes() -> None:
    answer = {"id": "x", "response": {"transports": ["usb"], "n": None}}
    caller = Caller("192.0.2.1", Protocol.WEB, client="Test/1")
    login = AUTH.methods["passkey_login"]
    packed = login.pack((answer, "ticket", caller), {})
    assert login.unpack(packed) == {"answer": answer, "ticket": "ticket", "caller": caller}
    made = NewFactor(("a-b", "c-d"), KEY)
    register = AUTH.methods["passkey_register"]
    assert register.unpack_result(register.pack_result(made)) == made
    listed = AUTH.methods["passkeys"]
    assert listed.unpack_result(listed.pack_result([KEY])) == [KEY]
    state, factors = FactorState(("sms",), 3, "+431234567"), AUTH.methods["factors"]
    assert factors.unpack_result(factors.pack_result(state)) == state
    begin = AUTH.methods["passkey_begin"]
    assert begin.unpack_result(begin.pack_result(answer)) == answer


def test_a_ticket_comes_with_its_problem() -> None:
    told = Problem(Fault.SECOND_FACTOR, factors=("totp", "passkey"), ticket="t" * 86)
    data = AUTH.pack_error(told)
    assert data is not None and json.loads(data)["ticket"] == "t" * 86
    back = AUTH.unpack_error(data)
    assert isinstance(back, Problem)
    assert (back.fault, back.factors, back.ticket) == (told.fault, told.factors, told.ticket)
