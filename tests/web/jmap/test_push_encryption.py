"""Messages for push services: RFC 8291 by its own example, and the signature of RFC 8292."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey

from tests.support.web_push import Client
from web.jmap.push.encryption import (
    BadKeys,
    authorization,
    decoded,
    encoded,
    encrypted,
    keys_of,
    point_of,
    signing_key,
)

# RFC 8291 §5 and appendix A
PLAIN = b"When I grow up, I want to be a watermelon"
P256DH = "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
AUTH = "BTBZMqHH6r4Tts7J_aSIgg"
PRIVATE = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"
SALT = "DGv6ra1nlYgDCS1FRnbzlw"
BODY = (
    "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6T"
    "lzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4"
    "a-fN"
)


def test_the_example_of_the_standard() -> None:
    private = ec.derive_private_key(int.from_bytes(decoded(PRIVATE), "big"), ec.SECP256R1())
    found = encrypted(PLAIN, keys_of(P256DH, AUTH), private, decoded(SALT))
    assert encoded(found) == BODY


@given(st.binary(max_size=3000))
def test_a_client_reads_what_was_sent(data: bytes) -> None:
    client = Client()
    assert client.read(encrypted(data, keys_of(client.p256dh, client.auth))) == data


@pytest.mark.parametrize(
    ("p256dh", "auth"),
    [
        pytest.param(P256DH[:-4], AUTH, id="short-key"),
        pytest.param(P256DH, AUTH[:-4], id="short-secret"),
        pytest.param(P256DH.replace("BCV", "BCW"), AUTH, id="off-the-curve"),
        pytest.param("", "", id="empty"),
        pytest.param(P256DH + "é", AUTH, id="not-ascii"),
        pytest.param("x" * 87, AUTH, id="no-point"),
    ],
)
def test_keys_that_are_none_are_refused(p256dh: str, auth: str) -> None:
    with pytest.raises(BadKeys):
        keys_of(p256dh, auth)


def test_the_signature_is_good_for_its_key_and_one_service() -> None:
    private = signing_key(b"\xff" * 32)
    assert point_of(private) == point_of(signing_key(b"\xff" * 32))
    found = authorization(private, "https://push.test", "mailto:postmaster@mx.test", 1_800_000_000)
    scheme, _, rest = found.partition(" ")
    token, _, key = rest.partition(", ")
    assert (scheme, key) == ("vapid", f"k={encoded(point_of(private))}")
    pem = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    public = ECKey.import_key(pem)
    claims = jwt.decode(token.removeprefix("t="), public, algorithms=["ES256"]).claims
    assert claims == {
        "aud": "https://push.test",
        "exp": 1_800_000_000,
        "sub": "mailto:postmaster@mx.test",
    }
    assert json.loads(decoded(token[2:].partition(".")[0]))["alg"] == "ES256"
