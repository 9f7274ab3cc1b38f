"""Mail clients log in with access tokens of an outside provider."""

import asyncio
import imaplib
import json
import ssl
import time
from pathlib import Path
from typing import Any

import trustme
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.support.https_server import HttpsServer
from tests.support.server import PASSWORD, ServerProcess, configuration

ADA, BOB = "ada@example.test", "bob@example.test"


def opened(port: int, address: str, token: str) -> imaplib.IMAP4:
    """A connection that the token opened."""
    client = imaplib.IMAP4("127.0.0.1", port, timeout=60)
    gs2 = f"n,a={address},\x01auth=Bearer {token}\x01\x01".encode()
    client.authenticate("OAUTHBEARER", lambda _: gs2)
    return client


def says(port: int, address: str, token: str) -> str:
    """What IMAP says to the token: "" when it takes it, else the challenge of the refusal."""
    client = imaplib.IMAP4("127.0.0.1", port)
    gs2 = f"n,a={address},\x01auth=Bearer {token}\x01\x01".encode()
    said: list[bytes] = []

    def respond(challenge: bytes) -> bytes:
        said.append(challenge)
        return gs2 if len(said) == 1 else b"\x01"

    try:
        client.authenticate("OAUTHBEARER", respond)
    except imaplib.IMAP4.error:
        client.shutdown()
        return said[1].decode()
    client.logout()
    return ""


async def test_an_access_token_of_the_provider_reads_mail(tmp_path: Path) -> None:
    ca, web = trustme.CA(), HttpsServer()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    await web.start(context)
    issuer = f"https://127.0.0.1:{web.port}"
    key = RSAKey.generate_key(2048, {"kid": "k", "use": "sig"}, private=True)
    published = dict.fromkeys(("authorization_endpoint", "token_endpoint"), f"{issuer}/x")
    published |= {"issuer": issuer, "jwks_uri": f"{issuer}/keys"}
    web.serve(json.dumps({**published, "keys": [key.as_dict(private=False)]}).encode())

    def token(**changed: Any) -> str:
        body = {"iss": issuer, "aud": "mail", "sub": "1", "exp": int(time.time()) + 600}
        body |= {"email": ADA, "email_verified": True, **changed}
        header = {"alg": "RS256", "kid": "k", "typ": "at+jwt"}
        return jwt.encode(header, body, key, algorithms=["RS256"])

    def talk() -> None:
        extra = (
            '[filters]\nlocal_networks = ["127.0.0.0/8"]\n'
            f'[oidc]\nissuer = "{issuer}"\nclient_id = "mail"\naccess_tokens = "jwt"\n'
            'networks = ["127.0.0.0/8"]\n'
        )
        environment = {"SSL_CERT_FILE": str(tmp_path / "ca.pem")}
        with ServerProcess(tmp_path / "s", configuration(extra=extra), environment) as server:
            for address in (ADA, BOB):
                server.perform("account.add", address=address, password=PASSWORD)
            port = server.port("imap")
            ending = opened(port, ADA, token(exp=int(time.time()) - 54))  # a minute of skew is left
            staying = opened(port, ADA, token())
            assert says(port, ADA, token()) == ""
            assert says(port, BOB, token()) != ""
            assert says(port, ADA, token(aud="other")) != ""
            refused = json.loads(says(port, ADA, token(exp=1)))
            assert refused["openid-configuration"].startswith(issuer)
            said = b"".join(iter(lambda: ending.sock.recv(4096), b""))
            assert b"* BYE" in said
            assert staying.noop()[0] == "OK"
            entries = server.perform("audit.list", address=ADA)
            assert all(one["credential"] in ("", None) for one in entries if one["kind"] == "login")
            for client in (ending, staying):
                client.shutdown()
            server.perform("account.disable", address=ADA)
            assert says(port, ADA, token()) != ""

    try:
        await asyncio.to_thread(talk)
    finally:
        await web.close()
