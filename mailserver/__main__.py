"""`python -m mailserver` is the command `mailserver`."""

from mailserver.cli.main import run

run()
