"""The tables of all commands and all tests."""

from typing import Final

from filters.sieve import (
    body_tests,
    controls,
    date_tests,
    editing,
    filing,
    flags,
    including,
    loops,
    mailbox_tests,
    message_tests,
    mime_actions,
    notify,
    refusing,
    site_tests,
    vacation,
    variables,
)
from filters.sieve.signature import Definition, TestDefinition

_MODULES: Final = (
    *(body_tests, controls, date_tests, editing, filing, flags, including, loops, mailbox_tests),
    *(message_tests, mime_actions, notify, refusing, site_tests, vacation, variables),
)
COMMANDS: Final[dict[str, Definition]] = {
    definition.name: definition for module in _MODULES for definition in module.COMMANDS
}
TESTS: Final[dict[str, TestDefinition]] = {
    definition.name: definition for module in _MODULES for definition in module.TESTS
}
