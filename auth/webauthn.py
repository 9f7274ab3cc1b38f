"""WebAuthn Level 3: what a browser is asked, and what its answer proves. The one file that knows
the library `webauthn`; no I/O.

`registered` and `asserted` compute: run them beside the event loop. Attestation is not asked for,
so a registration proves a key pair and a verified user, not a make of authenticator.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import webauthn
from webauthn.helpers import (
    base64url_to_bytes,
    options_to_json_dict,
    parse_authentication_credential_json,
    parse_client_data_json,
)
from webauthn.helpers.cose import COSEAlgorithmIdentifier
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from storage.passkeys import NewPasskey, Passkey

SECONDS: Final = 300
"""That a ceremony may take, for the browser's own clock."""
MAX_ID: Final = 1023
"""Octets of a credential id (WebAuthn Level 3 §4)."""
MAX_KEY: Final = 2048
"""Octets of a public key: RSA of 8192 bits is the most that any authenticator makes."""
_ALGORITHMS: Final = [
    COSEAlgorithmIdentifier.ECDSA_SHA_256,
    COSEAlgorithmIdentifier.EDDSA,
    COSEAlgorithmIdentifier.RSASSA_PKCS1_v1_5_SHA_256,
]
_TRANSPORTS: Final = frozenset(one.value for one in AuthenticatorTransport)


@dataclass(frozen=True, slots=True)
class Site:
    """The relying party: `id` is a host name, `origins` are compared exactly."""

    id: str
    origins: tuple[str, ...]


class NotProved(Exception):
    """The answer is none to what was asked; the text is for the log."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What an answer says of itself, before anything is proved: the credential's id, the handle of
    its user where it tells one, the challenge.
    """

    credential: bytes
    handle: bytes | None
    challenge: bytes


def creation_options(
    site: Site, challenge: bytes, handle: bytes, address: str, name: str, known: Sequence[Passkey]
) -> dict[str, Any]:
    """PublicKeyCredentialCreationOptionsJSON (§5.1.8), for a passkey that needs no user name and
    asks for PIN or body. `known` are those that the account has: no authenticator makes a second.
    """
    options = webauthn.generate_registration_options(
        rp_id=site.id,
        rp_name=site.id,
        user_id=handle,
        user_name=address,
        user_display_name=name or address,
        challenge=challenge,
        timeout=SECONDS * 1000,
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.REQUIRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
        supported_pub_key_algs=_ALGORITHMS,
        exclude_credentials=_descriptors(known),
    )
    return dict(options_to_json_dict(options))


def request_options(
    site: Site, challenge: bytes, known: Sequence[Passkey] = (), *, verify: bool = True
) -> dict[str, Any]:
    """PublicKeyCredentialRequestOptionsJSON (§5.1.9); without `known` any passkey of the site."""
    wish = UserVerificationRequirement
    options = webauthn.generate_authentication_options(
        rp_id=site.id,
        challenge=challenge,
        timeout=SECONDS * 1000,
        allow_credentials=_descriptors(known),
        user_verification=wish.REQUIRED if verify else wish.PREFERRED,
    )
    return dict(options_to_json_dict(options))


def challenge_in(answer: Mapping[str, Any]) -> bytes:
    """The challenge that an answer, of either ceremony, says it is to. Raises NotProved."""
    try:
        data = base64url_to_bytes(answer["response"]["clientDataJSON"])
        return bytes(parse_client_data_json(data).challenge)
    except Exception as error:
        raise NotProved("client data cannot be read") from error


def claim_in(answer: Mapping[str, Any]) -> Claim:
    """Whose answer of authentication it says it is. Raises NotProved."""
    challenge = challenge_in(answer)
    try:
        parsed = parse_authentication_credential_json(dict(answer))
    except Exception as error:
        raise NotProved("the answer cannot be read") from error
    if not 0 < len(parsed.raw_id) <= MAX_ID:
        raise NotProved("the credential's id is too long")
    return Claim(parsed.raw_id, parsed.response.user_handle, challenge)


def registered(site: Site, answer: Mapping[str, Any], challenge: bytes) -> NewPasskey:
    """The passkey that was made (§7.1). Raises NotProved."""
    _check_frame(answer)
    try:
        found = webauthn.verify_registration_response(
            credential=dict(answer),
            expected_challenge=challenge,
            expected_rp_id=site.id,
            expected_origin=list(site.origins),
            require_user_verification=True,
            supported_pub_key_algs=_ALGORITHMS,
        )
    except Exception as error:
        raise _refused(error) from error
    if len(found.credential_id) > MAX_ID or len(found.credential_public_key) > MAX_KEY:
        raise NotProved("id or key is too long")
    said = answer["response"].get("transports")
    names = said if isinstance(said, list) else []
    return NewPasskey(
        found.credential_id,
        found.credential_public_key,
        found.sign_count,
        tuple(sorted({one for one in names if isinstance(one, str)} & _TRANSPORTS)),
        found.credential_device_type is CredentialDeviceType.MULTI_DEVICE,
    )


def asserted(
    site: Site, answer: Mapping[str, Any], challenge: bytes, key: bytes, *, verify: bool
) -> int:
    """The authenticator's counter, which is compared where it is stored, if the public key's owner
    signed (§7.2); with `verify` one whom it knew by PIN or body. Raises NotProved.
    """
    _check_frame(answer)
    try:
        found = webauthn.verify_authentication_response(
            credential=dict(answer),
            expected_challenge=challenge,
            expected_rp_id=site.id,
            expected_origin=list(site.origins),
            credential_public_key=key,
            credential_current_sign_count=0,
            require_user_verification=verify,
        )
    except Exception as error:
        raise _refused(error) from error
    return int(found.new_sign_count)


def _check_frame(answer: Mapping[str, Any]) -> None:
    """No page asks for another's passkeys in a frame of it (§5.8.1); the library does not look."""
    try:
        data = base64url_to_bytes(answer["response"]["clientDataJSON"])
        framed = parse_client_data_json(data).cross_origin
    except Exception as error:
        raise NotProved("client data cannot be read") from error
    if framed:
        raise NotProved("asked for in a frame of another site")


def _refused(error: Exception) -> NotProved:
    """What is broken enough ends in any exception of the parsers that the library uses."""
    return NotProved(str(error) if isinstance(error, WebAuthnException) else "it cannot be read")


def _descriptors(known: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=one.credential, transports=[AuthenticatorTransport(name) for name in one.transports]
        )
        for one in known
    ]
