"""What `mailserver check` says of clamd, and what a running server makes of changed settings."""

import imaplib
import smtplib
from pathlib import Path

import pytest

from config.settings import Settings
from mailserver.clamd_check import look_at_clamd
from net.threads import Offload
from tests.support.clamd import EICAR, NAME, running_clamd
from tests.support.run import free_port
from tests.support.server import PASSWORD, ServerProcess, configuration

ADA = "ada@example.test"
LIMIT = '[limits]\nmessage_size = "4M"\n[drive]\nmax_size = "4M"\n'
INFECTED = b"Subject: x\r\n\r\n" + EICAR + b"\r\n"


OURS = "limits.message_size and drive.max_size"


async def told(address: str, size: str = "8M", files: str = "1M") -> tuple[bool, str, str]:
    limits, drive = {"message_size": size}, {"max_size": files}
    settings = Settings.model_validate(
        {"hostname": "mx.example.test", "limits": limits, "drive": drive}
    )
    offload = Offload(processes=1)
    try:
        return await look_at_clamd(settings, address, offload)
    finally:
        offload.close()


async def test_one_that_scans_all_that_we_take() -> None:
    with running_clamd(version=27000) as clamd:
        for address in (clamd.unix, clamd.tcp):
            ok, detail, fix = await told(address)
            assert (ok, fix) == (True, "")
            assert detail.startswith("ClamAV 1.") and "/27000/" in detail
            assert detail.endswith("finds a test virus in a message of 8M; 4 threads, 0 waiting")


async def test_one_that_takes_less_than_we_do() -> None:
    with running_clamd(limit="4M") as clamd:
        ok, detail, fix = await told(clamd.unix)
        assert not ok
        assert detail.endswith(f"it takes no message of 8M, which {OURS} allow")
        assert fix == f"set StreamMaxLength 8M for clamd, or {OURS} lower"
        assert (await told(clamd.unix, "4M"))[0]
        assert not (await told(clamd.unix, "1M", "8M"))[0]


async def test_one_that_looks_at_the_beginning_only() -> None:
    with running_clamd(more="MaxFileSize 2M\n") as clamd:
        ok, detail, fix = await told(clamd.unix)
        assert not ok
        assert detail.endswith("it looks at a part of a message of 8M only")
        assert fix.startswith("set MaxScanSize and MaxFileSize 8M")


async def test_one_without_signatures_and_one_that_is_away() -> None:
    with running_clamd() as clamd:
        rules = clamd.signatures / "local.ndb"
        rules.write_text("Test.Other:0:*:" + b"something else".hex() + "\n")
        clamd.reload()
        ok, detail, fix = await told(clamd.unix)
        assert not ok and detail.endswith("it does not find the EICAR test file")
        assert "freshclam" in fix
    for address in (clamd.unix, f"tcp:127.0.0.1:{free_port()}"):
        assert await told(address) == (
            False, f"no answer at {address}", "start clamd, or correct virus.clamd",
        )  # fmt: skip


def test_the_command_and_a_reload_of_the_server(tmp_path: Path) -> None:
    """Off, then on by a reload: SMTP and IMAP both ask clamd from then on."""
    with (
        running_clamd() as clamd,
        ServerProcess(tmp_path, configuration(extra=LIMIT)) as server,
    ):
        server.perform("account.add", address=ADA, password=PASSWORD)
        extra = f'[virus]\nclamd = ["{clamd.unix}", "{clamd.tcp}"]\n'
        with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=20) as smtp:
            smtp.sendmail("a@elsewhere.test", [ADA], INFECTED)
            server.config.write_text(server.config.read_text() + extra)
            assert server.perform("reload")["applied"] == ["virus.clamd"]
            with pytest.raises(smtplib.SMTPDataError, match=f"contains a virus: {NAME}"):
                smtp.sendmail("a@elsewhere.test", [ADA], INFECTED)
        with imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=20) as imap:
            imap.login(ADA, PASSWORD)
            status, data = imap.append("INBOX", "", "", INFECTED)
            assert status == "NO" and NAME.encode() in data[0]
            assert imap.select("INBOX")[1] == [b"1"]
        checked = {one["name"]: one for one in server.json("check")}
        for address in (clamd.unix, clamd.tcp):
            assert checked[f"clamd {address}"]["ok"] is True
            assert "finds a test virus in a message of 4M" in checked[f"clamd {address}"]["detail"]
