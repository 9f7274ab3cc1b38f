"""Rules and Sieve scripts of the login's account."""

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Annotated, Any, Final, Literal, Union

from pydantic import BaseModel, Field, create_model

from filters.rules.shapes import ACTIONS, CONDITIONS, rule_of, shape_of
from filters.rules.values import MAX_ACTIONS, MAX_CONDITIONS, MAX_RULES, BadRule, Rule
from filters.user_rules import Held, OwnScript, UserRules
from web.rest.endpoint import Access, Call, Endpoint, Match
from web.rest.errors import RestError, absent
from web.rest.models import Give, Name, Page, Paging, Take, Time
from web.rest.operations import Operations

RULES: Final = "rules"
SIEVE: Final = "sieve"
SCRIPT: Final = 512 * 1024


def _union(kinds: Mapping[str, type[Any]], suffix: str) -> Any:
    """One shape for each kind, told apart by `type`."""
    made = tuple(_shape(name, kind, suffix) for name, kind in kinds.items())
    return Annotated[Union[made], Field(discriminator="type")]  # noqa: UP007 - of a tuple


def _shape(name: str, kind: type[Any], suffix: str) -> type[BaseModel]:
    members: dict[str, Any] = {"type": (Literal[name], ...)}
    for one in fields(kind):
        members[one.name] = (one.type, ... if one.default is MISSING else one.default)
    return create_model(f"{kind.__name__}{suffix}", __base__=Take, **members)


ConditionBody: Any = _union(CONDITIONS, "Condition")
ActionBody: Any = _union(ACTIONS, "Action")


class RuleBody(Take):
    """What has to hold, and what is done then."""

    name: Name
    enabled: bool = True
    match: Literal["all", "any"] = "all"
    stop: bool = True
    conditions: Annotated[tuple[ConditionBody, ...], Field(max_length=MAX_CONDITIONS)] = ()
    actions: Annotated[tuple[ActionBody, ...], Field(max_length=MAX_ACTIONS)] = ()


class RulesBody(Take):
    """All rules, in the order in which they are tried."""

    rules: Annotated[list[RuleBody], Field(max_length=MAX_RULES)]


class RuleShape(Give):
    """A rule."""

    name: str
    enabled: bool
    match: Literal["all", "any"]
    stop: bool
    conditions: list[dict[str, Any]]
    actions: list[dict[str, Any]]


class RulesShape(Give):
    """`own`: the script is one of the user's own, and holds no rules that could be changed here."""

    script: str
    active: bool
    own: bool
    rules: list[RuleShape]


class ScriptShape(Give):
    """`size` in octets."""

    name: str
    size: int
    active: bool
    changed: Time


class ScriptText(ScriptShape):
    """With what stands in it."""

    text: str


class ScriptBody(Take):
    """`activate`: it runs from here on."""

    text: Annotated[str, Field(max_length=SCRIPT)]
    activate: bool = False


class ScriptPatch(Take):
    """Another name, or whether it runs."""

    name: Name | None = None
    active: bool | None = None


class TrialBody(Take):
    """One of a rule, the text of a script and the name of a script; else the active one. Over the
    newest `last` messages of a mailbox.
    """

    rule: RuleBody | None = None
    text: Annotated[str, Field(max_length=SCRIPT)] | None = None
    name: Name | None = None
    mailbox: Name = "INBOX"
    last: Annotated[int, Field(ge=1, le=1000)] = 100


class Effect(Give):
    """One action."""

    text: str
    line: int | None


class Tried(Give):
    """A message: what would be done to it."""

    message: str
    uid: int
    subject: str
    changed: bool
    effects: list[Any]
    actions: list[Effect]
    error: str | None
    line: int | None


class Trial(Give):
    """What would have been done to messages; nothing was."""

    script: str
    mailbox: str
    tested: int
    changed: int
    failed: int
    messages: list[Tried]


class RuleResource:
    """Handlers."""

    def __init__(self, rules: UserRules, do: Operations) -> None:
        self._rules, self._do = rules, do

    def endpoints(self) -> Sequence[Endpoint]:
        return [
            Endpoint(
                *("GET", "/rules", RULES, "getRules", "All rules", self._all),
                gives=RulesShape,
            ),
            Endpoint(
                *("PUT", "/rules", RULES, "putRules", "Replace all rules", self._replace),
                *(Access.OWN, RulesBody),
                gives=RulesShape,
                match=Match.NEEDED,
            ),
            Endpoint(
                *("GET", "/rules/{name}", RULES, "getRule", "A rule", self._one),
                params={"name": Name},
                gives=RuleShape,
            ),
            Endpoint(
                *("PUT", "/rules/{name}", RULES, "putRule", "Make or replace a rule", self._put),
                *(Access.OWN, RuleBody),
                params={"name": Name},
                gives=RuleShape,
            ),
            Endpoint(
                *("DELETE", "/rules/{name}", RULES, "deleteRule", "Delete a rule", self._delete),
                params={"name": Name},
            ),
            Endpoint(
                *("POST", "/trials", RULES, "tryRules", "What a rule or script would do"),
                self._try,
                *(Access.OWN, TrialBody),
                gives=Trial,
                limit=1024 * 1024,
            ),
            *_scripts(self._do, self._patch),
        ]

    async def _all(self, call: Call) -> dict[str, Any]:
        return _shown(await self._rules.load(call.account))

    async def _replace(self, call: Call) -> dict[str, Any]:
        rules = [_rule(one) for one in call.taken(RulesBody).rules]
        names = [one.name.casefold() for one in rules]
        if len(set(names)) != len(names):
            raise RestError(422, "two rules have one name")
        return await self._changed(call, lambda _: rules)

    async def _one(self, call: Call) -> dict[str, Any]:
        held = await self._rules.load(call.account)
        at = _place(held.rules or (), call)
        if at is None or held.rules is None:
            raise absent("There is no such rule")
        return shape_of(held.rules[at])

    async def _put(self, call: Call) -> dict[str, Any]:
        made = _rule(call.taken(RuleBody))

        def edit(rules: tuple[Rule, ...]) -> list[Rule]:
            at = _place(rules, call)
            others = [one for n, one in enumerate(rules) if n != at]
            if made.name.casefold() in [one.name.casefold() for one in others]:
                raise RestError(409, "another rule has that name")
            at = len(others) if at is None else at
            return [*others[:at], made, *others[at:]]

        await self._changed(call, edit)
        return shape_of(made)

    async def _delete(self, call: Call) -> None:
        def edit(rules: tuple[Rule, ...]) -> list[Rule]:
            at = _place(rules, call)
            if at is None:
                raise absent("There is no such rule")
            return [*rules[:at], *rules[at + 1 :]]

        await self._changed(call, edit)

    async def _changed(self, call: Call, edit: Any) -> dict[str, Any]:
        try:
            return _shown(await self._rules.change(call.account, edit))
        except BadRule as error:
            raise RestError(422, str(error)) from None
        except OwnScript as error:
            raise RestError(409, str(error)) from None

    async def _try(self, call: Call) -> Any:
        args = call.taken(TrialBody).model_dump(mode="json", exclude_none=True)
        return await self._do.do(call, "sieve.test", {**args, "address": call.user.address})

    async def _patch(self, call: Call) -> Any:
        body, args = call.taken(ScriptPatch), {"address": call.user.address, **call.params}
        if body.active is True:
            await self._do.do(call, "sieve.activate", args)
        elif body.active is False:
            shown = await self._do.do(call, "sieve.show", args)
            if shown["active"]:
                await self._do.do(call, "sieve.deactivate", args)
        if body.name is not None:
            await self._do.do(call, "sieve.rename", {**args, "new": body.name})
            args["name"] = body.name
        return await self._do.do(call, "sieve.show", args)


def _scripts(do: Operations, patch: Any) -> Sequence[Endpoint]:
    one = {"name": Name}
    return [
        Endpoint(
            *("GET", "/sieve", SIEVE, "listScripts", "Every script"),
            do.by("sieve.list", own="address"),
            *(Access.OWN, None, Paging, Page[ScriptShape]),
            order=lambda row: (row["name"],),
        ),
        Endpoint(
            *("GET", "/sieve/{name}", SIEVE, "getScript", "A script"),
            do.by("sieve.show", own="address"),
            params=one,
            gives=ScriptText,
        ),
        Endpoint(
            *("PUT", "/sieve/{name}", SIEVE, "putScript", "Store a script"),
            do.by("sieve.put", own="address"),
            *(Access.OWN, ScriptBody),
            params=one,
            gives=ScriptShape,
            match=Match.NEEDED,
            limit=1024 * 1024,
        ),
        Endpoint(
            *("PATCH", "/sieve/{name}", SIEVE, "changeScript", "Rename or run a script"),
            *(patch, Access.OWN, ScriptPatch),
            params=one,
            gives=ScriptText,
        ),
        Endpoint(
            *("DELETE", "/sieve/{name}", SIEVE, "deleteScript", "Delete a script"),
            do.by("sieve.delete", own="address"),
            params=one,
        ),
    ]


def _rule(body: RuleBody) -> Rule:
    try:
        return rule_of(body.model_dump(mode="json"))
    except BadRule as error:
        raise RestError(422, str(error)) from None


def _place(rules: Sequence[Rule], call: Call) -> int | None:
    names = [one.name.casefold() for one in rules]
    wanted = str(call.params["name"]).casefold()
    return names.index(wanted) if wanted in names else None


def _shown(held: Held) -> dict[str, Any]:
    return {
        "script": held.script,
        "active": held.active,
        "own": held.rules is None,
        "rules": [shape_of(one) for one in held.rules or ()],
    }
