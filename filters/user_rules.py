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
from filters.scripts import SMALL, BadScript, language
from net.threads import Offload, Pool
from storage.script_values import NoSuchScript, Script, ScriptChanged, ScriptExists
from storage.scripts import Scripts
from storage.values import AccountId

RULES: Final = "rules"
_TRIES: Final = 5
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
        self._check = language(offload).check

    async def load(self, account: AccountId) -> Held:
        """What the account has."""
        return await self._held(await self._script(account))

    async def save(self, account: AccountId, rules: Sequence[Rule]) -> Held:
        """All rules of the account from here on, checked ones; they are active then. Raises
        OwnScript, BadRule.
        """
        return await self.change(account, lambda _: rules)

    async def change(
        self, account: AccountId, edit: Callable[[tuple[Rule, ...]], Sequence[Rule]]
    ) -> Held:
        """What `edit` makes of the rules of the account, checked ones, from here on; they are
        active then. It is asked again where they were changed meanwhile. Raises OwnScript, BadRule,
        and what `edit` raises.
        """
        for left in reversed(range(_TRIES)):
            found = await self._script(account)
            held = await self._held(found)
            if held.rules is None:
                raise OwnScript(
                    f"the script {held.script!r} is more than rules: change it as a script"
                )
            rules = tuple(edit(held.rules))
            text = await self._written(rules)
            over = None if found is None else found.text
            try:
                await self._scripts.put(account, held.script, text, new=over is None, over=over)
            except (ScriptExists, ScriptChanged):
                if not left:
                    raise
                continue
            break
        if not held.active:
            await self._scripts.activate(account, held.script)
        return Held(held.script, active=True, rules=rules)

    async def _held(self, found: Script | None) -> Held:
        if found is None:
            return Held(RULES, active=False, rules=())
        rules = await self._run(read_rules, found.text, len(found.text))
        return Held(found.name, found.active, rules)

    async def _written(self, rules: tuple[Rule, ...]) -> bytes:
        """The script, one that compiles. Raises BadRule."""
        names = [rule.name.casefold() for rule in rules]
        if len(set(names)) < len(names):
            raise BadRule("Each rule has a name of its own")
        if len(rules) > MAX_RULES:
            raise BadRule(f"An account has at most {MAX_RULES} rules")
        text = (await self._run(format_rules, rules, len(rules) * _RULE)).encode()
        try:
            await self._check(text)
        except BadScript as error:
            raise BadRule(f"The rules make no script: {error}") from None
        return text

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
