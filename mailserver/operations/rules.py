"""`mailserver rules ...`: what an account's mail is sorted by, as rules. Shapes are those of
filters/rules/shapes.py.
"""

from collections.abc import Awaitable, Mapping
from typing import Any

from filters.rules.shapes import rule_of, shape_of
from filters.rules.values import BadRule, Rule
from filters.user_rules import Held, OwnScript, UserRules
from mailserver.operations.errors import Missing, OperationError
from mailserver.operations.sieve import account_of
from mailserver.services import Services
from net.threads import Busy

Args = Mapping[str, Any]


async def rules_list(services: Services, args: Args) -> dict[str, Any]:
    """{script, active, own, rules}: `own` where the script is more than rules."""
    account = await account_of(services, args)
    return _shown(await _done(_rules(services).load(account.id)))


async def rules_add(services: Services, args: Args) -> dict[str, Any]:
    """Puts `rule` behind the others, or in place of the one of its name."""
    try:
        made = rule_of(args["rule"])
    except BadRule as error:
        raise OperationError(str(error)) from None
    account = await account_of(services, args)

    def add(rules: tuple[Rule, ...]) -> list[Rule]:
        names = [one.name.casefold() for one in rules]
        if made.name.casefold() not in names:
            return [*rules, made]
        at = names.index(made.name.casefold())
        return [*rules[:at], made, *rules[at + 1 :]]

    return _shown(await _done(_rules(services).change(account.id, add)))


async def rules_delete(services: Services, args: Args) -> dict[str, Any]:
    """Removes the rule `name`."""
    account, name = await account_of(services, args), str(args["name"]).casefold()

    def remove(rules: tuple[Rule, ...]) -> list[Rule]:
        others = [one for one in rules if one.name.casefold() != name]
        if len(others) == len(rules):
            raise Missing(f"there is no rule {args['name']!r}")
        return others

    return _shown(await _done(_rules(services).change(account.id, remove)))


def _rules(services: Services) -> UserRules:
    return UserRules(services.directory.scripts, services.offload)


async def _done(call: Awaitable[Held]) -> Held:
    try:
        return await call
    except (BadRule, OwnScript) as error:
        raise OperationError(str(error)) from None
    except Busy:
        raise OperationError("the server is busy; try again") from None


def _shown(held: Held) -> dict[str, Any]:
    return {
        "script": held.script,
        "active": held.active,
        "own": held.rules is None,
        "rules": [shape_of(one) for one in held.rules or ()],
    }
