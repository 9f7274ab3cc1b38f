"""The rules of an account, in the Sieve script that they are.

They stand in the active script, or where none is active in the one called RULES. Invariant: a
script that is more than rules is never written over.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from filters.rules.reading import read_rules
from filters.rules.values import MAX_RULES, BadRule, Rule
from filters.rules.writing import format_rules
from filters.scripts import SMALL
from net.threads import Offload, Pool
from storage.script_values import NoSuchScript, Script
from storage.scripts import Scripts
from storage.values import AccountId

RULES: Final = "rules"
_RULE: Final = 150  # octets of the script, about
A = TypeVar("A")
T = TypeVar("T")


class OwnScript(Exception):
    """A script of the user's own stands where rules would; `str(error)` names it."""


@dataclass(frozen=True, slots=True)
class Held:
    """`rules` is None where `script` is one of the user's own."""

    script: str
    active: bool
    rules: tuple[Rule, ...] | None


class UserRules:
    """Raises StoreError and Busy from every call."""

    def __init__(self, scripts: Scripts, offload: Offload) -> None:
        self._scripts, self._offload = scripts, offload

    async def load(self, account: AccountId) -> Held:
        """What the account has."""
        found = await self._script(account)
        if found is None:
            return Held(RULES, active=False, rules=())
        rules = await self._run(read_rules, found.text, len(found.text))
        return Held(found.name, found.active, rules)

    async def save(self, account: AccountId, rules: Sequence[Rule]) -> Held:
        """All rules of the account from here on, checked ones; they are active then. Raises
        OwnScript, BadRule.
        """
        names = [rule.name.casefold() for rule in rules]
        if len(set(names)) < len(names):
            raise BadRule("Each rule has a name of its own")
        if len(rules) > MAX_RULES:
            raise BadRule(f"An account has at most {MAX_RULES} rules")
        held = await self.load(account)
        if held.rules is None:
            raise OwnScript(f"the script {held.script!r} is more than rules: change it as a script")
        text = await self._run(format_rules, tuple(rules), len(rules) * _RULE)
        await self._scripts.put(account, held.script, text.encode())
        if not held.active:
            await self._scripts.activate(account, held.script)
        return Held(held.script, active=True, rules=tuple(rules))

    async def _run(self, call: Callable[[A], T], argument: A, size: int) -> T:
        """In another process where it takes long."""
        if size > SMALL:
            return await self._offload.apart(call, argument)
        return await self._offload.run(Pool.MIME, call, argument)

    async def _script(self, account: AccountId) -> Script | None:
        active = await self._scripts.active(account)
        if active is not None:
            return active
        try:
            return await self._scripts.get(account, RULES)
        except NoSuchScript:
            return None
