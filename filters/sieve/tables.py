"""The tables of all commands and all tests."""

from typing import Final

from filters.sieve import (
    controls,
    filing,
    flags,
    message_tests,
    refusing,
    variables,
)
from filters.sieve.signature import Definition, TestDefinition

_MODULES: Final = (controls, filing, flags, message_tests, refusing, variables)
COMMANDS: Final[dict[str, Definition]] = {
    definition.name: definition for module in _MODULES for definition in module.COMMANDS
}
TESTS: Final[dict[str, TestDefinition]] = {
    definition.name: definition for module in _MODULES for definition in module.TESTS
}
