"""An identity provider that somebody else wrote (oidc-provider-mock), over HTTPS, as a process:
python -m tests.support.outside_provider PORT CERTIFICATE KEY < users as JSON.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

from tests.support.server import ROOT, until


@contextmanager
def outside_provider(
    port: int, folder: Path, users: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Its issuer. `folder` has chain.pem, key.pem and ca.pem; `users` are claims by `sub`."""
    certificate, key, ca = folder / "chain.pem", folder / "key.pem", folder / "ca.pem"
    command = [sys.executable, "-W", "ignore", "-m", "tests.support.outside_provider"]
    process = subprocess.Popen(
        [*command, str(port), str(certificate), str(key)],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
    )
    issuer = f"https://127.0.0.1:{port}"
    try:
        assert process.stdin is not None
        process.stdin.write(json.dumps(users))
        process.stdin.close()
        until(lambda: _answers(issuer, ca))
        yield issuer
    finally:
        process.kill()
        process.wait(10)


def _answers(issuer: str, ca: Path) -> bool:
    try:
        path = f"{issuer}/.well-known/openid-configuration"
        return requests.get(path, verify=str(ca), timeout=5).status_code == 200
    except requests.ConnectionError:
        return False


def log_in_there(url: str, user: str, ca: Path) -> str:
    """Where the provider sends a browser whose user logged in."""
    found = requests.post(url, {"sub": user}, verify=str(ca), allow_redirects=False, timeout=20)
    return str(found.headers["location"])


def _serve() -> None:
    import oidc_provider_mock
    from werkzeug.serving import make_server

    users = json.load(sys.stdin)
    known = [oidc_provider_mock.User(sub=sub, claims=claims) for sub, claims in users.items()]
    app = oidc_provider_mock.app(user_claims=known)
    pair = (sys.argv[2], sys.argv[3])
    make_server("127.0.0.1", int(sys.argv[1]), app, threaded=True, ssl_context=pair).serve_forever()


if __name__ == "__main__":
    _serve()
