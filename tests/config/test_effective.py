"""Where the values in force come from."""

from pathlib import Path

from config.effective import DEFAULT, MASK, effective
from config.load import load

TEXT = """hostname = "mx.example.test"
[store]
database = "postgresql://u:p@h/d"
[http]
hsts = "30d"
[[policy]]
action = "accept"
listener = "smtp"
"""


def test_each_value_has_its_origin(tmp_path: Path) -> None:
    path = tmp_path / "mailserver.toml"
    path.write_text(TEXT)
    environment = {"MAILSERVER_LIMITS_RECIPIENTS": "7", "PATH": "/bin"}
    found = {one.key: one for one in effective(load(path, environment), path, environment)}
    assert (found["hostname"].value, found["hostname"].origin) == (
        "mx.example.test",
        "mailserver.toml:1",
    )
    assert (found["store.database"].value, found["store.database"].origin) == (
        MASK,
        "mailserver.toml:3",
    )
    assert (found["store.cache"].value, found["store.cache"].origin) == ("memory", DEFAULT)
    recipients = found["limits.recipients"]
    assert (recipients.value, recipients.origin) == (7, "MAILSERVER_LIMITS_RECIPIENTS")
    assert found["policy[0].action"].origin == "mailserver.toml:7"
    assert found["http.hsts"].origin == "mailserver.toml:5"
    assert "p@h" not in str(found)
