"""A message of 25 MB goes up by JMAP, is scanned, saved and sent, while somebody else works: how
long that takes, and how long the other one waits at most.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.rows import Row
from tests.bench.sides import Side
from tests.support.clamd import running_clamd
from tests.support.http_api import ask
from tests.support.jmap import ADA, BOB, Jmap, basic
from tests.support.server import PASSWORD, ROOT, ServerProcess, configuration

SIZE = 25 * 1000 * 1000
PAUSE = 0.005
ECHO = {"using": ["urn:ietf:params:jmap:core"], "methodCalls": [["Core/echo", {}, "0"]]}
LOAD = """
import http.client, json, random, sys
port, account, path, fields = int(sys.argv[1]), sys.argv[2], sys.argv[3], json.loads(sys.argv[4])
size, box, identity, to = int(sys.argv[5]), sys.argv[6], sys.argv[7], sys.argv[8]

def ask(path, data, kind):
    peer = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    peer.request("POST", path, data, {**fields, "Content-Type": kind})
    answer = peer.getresponse()
    found = json.loads(answer.read())
    assert answer.status < 300, found
    return found

blob = ask(path, random.Random(1).randbytes(size), "application/zip")["blobId"]
draft = {"mailboxIds": {box: True}, "keywords": {"$draft": True}, "subject": "large",
    "from": [{"email": fields["From"]}], "to": [{"email": to}],
    "attachments": [{"blobId": blob, "type": "application/zip", "name": "a.zip"}]}
submission = {"identityId": identity, "emailId": "#d"}
using = ["core", "mail", "submission"]
found = ask("/jmap/api", json.dumps({
    "using": [f"urn:ietf:params:jmap:{one}" for one in using],
    "methodCalls": [
        ["Email/set", {"accountId": account, "create": {"d": draft}}, "0"],
        ["EmailSubmission/set", {"accountId": account, "create": {"s": submission}}, "1"],
    ],
}), "application/json")
assert all(told.get("created") for _, told, _ in found["methodResponses"]), found
"""


def _measured() -> tuple[float, list[float]]:
    """Seconds of the large message, and milliseconds of each small request beside it."""
    with (
        running_clamd() as clamd,
        tempfile.TemporaryDirectory(dir=ROOT / "var") as folder,
        ServerProcess(
            Path(folder) / "ours", configuration(extra=f'[virus]\nclamd = "{clamd.unix}"\n')
        ) as server,
    ):
        for address in (ADA, BOB):
            server.perform("account.add", address=address, password=PASSWORD)
        jmap = Jmap(server, basic())
        boxes = jmap.call("Mailbox/get", ids=None)["list"]
        box = next(one["id"] for one in boxes if one["role"] == "drafts")
        identity = jmap.call("Identity/get", ids=None)["list"][0]["id"]
        fields = str({**basic(), "From": ADA}).replace("'", '"')
        arguments = (
            *(str(server.port("http")), jmap.account, f"/jmap/upload/{jmap.account}/", fields),
            *(str(SIZE), box, identity, BOB),
        )
        others: list[float] = []
        for _ in range(20):
            _echo(server)
        begin = time.perf_counter()
        with subprocess.Popen([sys.executable, "-c", LOAD, *arguments]) as load:
            while load.poll() is None:
                others.append(_echo(server))
                time.sleep(PAUSE)
        assert load.returncode == 0
        return time.perf_counter() - begin, others


def _echo(server: ServerProcess) -> float:
    """Milliseconds."""
    begin = time.perf_counter()
    assert ask(server, "POST", "/jmap/api", ECHO, basic(BOB)).status == 200
    return (time.perf_counter() - begin) * 1000


def whole(side: Side) -> float:
    """Seconds."""
    return _measured()[0] if side.ours else 0.0


def beside(side: Side) -> float:
    """Milliseconds, the 99th of a hundred."""
    return statistics.quantiles(_measured()[1], n=100)[-1] if side.ours else 0.0


ROWS = [
    Row("JMAP: 25 MB up, scanned, saved and sent", "s", whole, limit=10, once=True),
    Row("JMAP: another's request meanwhile, 99 of 100", "ms", beside, limit=50, once=True),
]
