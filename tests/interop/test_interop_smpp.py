"""Codes of a sign-up by SMPP to an SMS centre on Perl's Net::SMPP."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

from tests.support.http_api import post
from tests.support.programs import SYSTEM_PATH, need, run, unavailable
from tests.support.run import free_port
from tests.support.server import PASSWORD, ServerProcess, configuration, until

SCRIPT = Path(__file__).with_name("smsc.pl")
NUMBER = "+431234567"


@dataclass
class Centre:
    """What it has read."""

    port: int
    asked: list[dict[str, Any]] = field(default_factory=list)

    def of(self, command: str) -> list[dict[str, Any]]:
        return [one for one in self.asked if one["command"] == command]


@contextmanager
def centre(password: str) -> Iterator[Centre]:
    need("perl")
    if run("perl", "-MNet::SMPP", "-e1", expect=None).returncode:
        unavailable("libnet-smpp-perl is not installed (scripts/test installs it as root)")
    found = Centre(free_port())
    process = subprocess.Popen(
        ["perl", str(SCRIPT), str(found.port), password],
        stdout=subprocess.PIPE,
        text=True,
        env={"PATH": SYSTEM_PATH},
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        lines = process.stdout

        def read() -> None:
            for line in lines:
                found.asked.append(json.loads(line))

        reader = Thread(target=read)
        reader.start()
        try:
            yield found
        finally:
            process.terminate()
            reader.join(20)
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()


def test_a_code_by_smpp(tmp_path: Path) -> None:
    """The first text is throttled; a name in other letters goes as UCS-2."""
    with centre("s3cret") as smsc:
        url = f"smpp://mail:s3cret@127.0.0.1:{smsc.port}?source=MailServer&system_type=VMA"
        config = configuration().replace("[auth]", f'[auth]\nsignup = "open"\nsms = "{url}"')
        with ServerProcess(tmp_path, config) as server:
            body = {"username": "bob", "password": PASSWORD, "phone": NUMBER}
            assert post(server, "/register", body).status == 202
            until(lambda: len(smsc.of("submit_sm")) == 2)
            (bound,) = smsc.of("bind_transmitter")
            throttled, sent = smsc.of("submit_sm")
            assert throttled == sent
            text = bytes.fromhex(sent["octets"]).replace(b"\0", b"@").decode("ascii")
            code, _, rest = text.partition(" ")
            assert rest.startswith("is your code for bob@example.test")
            answer = post(server, "/verify", {"username": "bob", "code": code})
            assert (answer.status, answer.body) == (200, {"address": "bob@example.test"})
            log = "\n".join(server.log)
        until(lambda: smsc.of("unbind"))
    assert bound["system_id"] == "mail"
    assert (bound["system_type"], bound["interface_version"]) == ("VMA", 0x34)
    assert (sent["source_addr"], sent["source_addr_ton"], sent["source_addr_npi"]) == (
        "MailServer",
        5,
        0,
    )
    assert (sent["destination_addr"], sent["dest_addr_ton"], sent["dest_addr_npi"]) == (
        NUMBER[1:],
        1,
        1,
    )
    assert (sent["data_coding"], sent["esm_class"], sent["registered_delivery"]) == (0, 0, 0)
    assert not any(secret in log for secret in ("s3cret", code, NUMBER[1:]))


def test_a_wrong_password(tmp_path: Path) -> None:
    with centre("another") as smsc:
        url = f"smpp://mail:s3cret@127.0.0.1:{smsc.port}"
        config = configuration().replace("[auth]", f'[auth]\nsignup = "open"\nsms = "{url}"')
        with ServerProcess(tmp_path, config) as server:
            body = {"username": "bob", "password": PASSWORD, "phone": NUMBER}
            assert post(server, "/register", body).status == 202
            (event,) = until(lambda: server.events("no session with the SMS centre"))
            assert event["reason"] == "the SMS centre refuses us: ESME_RINVPASWD"
            assert "s3cret" not in "\n".join(server.log)
    assert smsc.of("submit_sm") == []
