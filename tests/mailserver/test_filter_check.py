"""`mailserver check` tells of milters and rspamd whether they answer."""

import json
from pathlib import Path

from tests.support.filter_daemons import rspamd
from tests.support.run import free_port
from tests.support.server import ServerProcess, configuration


def test_those_that_answer_and_those_that_do_not(tmp_path: Path) -> None:
    with rspamd(tmp_path / "rspamd") as daemon:
        there = f'[[milter]]\nname = "there"\naddress = "{daemon.milter}"\n'
        gone = f'[[milter]]\nname = "gone"\naddress = "tcp:127.0.0.1:{free_port()}"\n'
        http = f'[[milter]]\nname = "http"\naddress = "{daemon.http.replace("http://", "tcp:")}"\n'
        outside = f'[spam.rspamd]\nurl = "{daemon.http}"\n'
        extra = there + gone + http + outside
        server = ServerProcess(tmp_path / "server", configuration(extra=extra))
        checked = server.command("check", "--json", expect=1)
        rows = {row["name"]: row for row in json.loads(checked.stdout)}
        assert rows["milter there"]["ok"] and rows["rspamd"]["ok"], rows
        assert "version 6" in rows["milter there"]["detail"]
        assert not rows["milter gone"]["ok"] and not rows["milter http"]["ok"]
        assert rows["milter gone"]["fix"] == "start it, or correct its address"
        milter = daemon.milter.replace("tcp:", "http://")
        text = server.config.read_text().replace(outside, f'[spam.rspamd]\nurl = "{milter}"\n')
        server.config.write_text(text)
        rows = {
            row["name"]: row
            for row in json.loads(server.command("check", "--json", expect=1).stdout)
        }
        assert not rows["rspamd"]["ok"]
