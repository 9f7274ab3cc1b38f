"""`mailserver check` and the running server tell which DNS lists do not answer this resolver."""

from pathlib import Path

from tests.support.dns_thread import dns_in_thread
from tests.support.server import ServerProcess, configuration, until

LISTS = """
[[dnsbl.list]]
zone = "good.test"
[[dnsbl.list]]
zone = "refusing.test"
"""


def test_one_line_a_list_and_a_warning(tmp_path: Path) -> None:
    with dns_in_thread() as dns:
        dns.set("2.0.0.127.good.test", "A", "127.0.0.2")
        dns.set("2.0.0.127.refusing.test", "A", "127.255.255.254")
        dns.set("1.0.0.127.refusing.test", "A", "127.255.255.254")
        servers = f'[dns]\nnameservers = ["{dns.endpoint}"]\n'
        with ServerProcess(tmp_path, configuration(extra=servers + LISTS)) as server:
            (warning,) = until(lambda: server.events("DNS list off"))
            checked = server.command("check", "--json", expect=None)
    assert warning["zone"] == "refusing.test"
    assert '"name": "dnsbl good.test",\n    "ok": true' in checked.stdout
    assert '"name": "dnsbl refusing.test",\n    "ok": false' in checked.stdout
    assert "it answers 127.255.255.254: it does not serve this resolver" in checked.stdout
    assert checked.returncode == 1
