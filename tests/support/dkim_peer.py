"""dkimpy as the other side: what it signs and verifies with the keys of dkim_messages."""

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from message.dkim_signing_key import Algorithm
from tests.support.dkim_messages import key

_RSA = key(Algorithm.RSA)
PEM = _RSA.private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
RECORD = _RSA.record.encode()
