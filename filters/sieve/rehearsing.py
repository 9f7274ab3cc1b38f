"""A dry run: a script over a message that is stored already, and what would be different then.

Nothing is done, and nothing is remembered. Who answers the questions of the script must not record
them as seen either.
"""

from dataclasses import dataclass

from filters.sieve.actions import (
    Action,
    FileInto,
    Keep,
    Notify,
    Outcome,
    Place,
    Redirect,
    Reject,
    Vacation,
)
from filters.sieve.environment import Environment, Question
from filters.sieve.limits import LIMITS, Limits
from filters.sieve.mail import Mail
from filters.sieve.running import run
from filters.sieve.script import Script


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a stored message is, and its flags as IMAP names them."""

    mailbox: str = "INBOX"
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """`effects` in a few words each, none when all would stay as it is; `places` are the lines that
    would act. With `asked` nothing is known yet: answer it, and rehearse again.
    """

    effects: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()
    error: str = ""
    asked: tuple[Question, ...] = ()

    @property
    def changes(self) -> bool:
        return bool(self.effects)


def rehearse(
    script: Script,
    mail: Mail,
    environment: Environment,
    standing: Standing,
    limits: Limits = LIMITS,
) -> Rehearsal:
    """Pure, as `run` is; a script that fails changes nothing, and says why."""
    return rehearsal_of(run(script, mail, environment, limits), environment, standing)


def rehearsal_of(outcome: Outcome, environment: Environment, standing: Standing) -> Rehearsal:
    """What the outcome of a run means for a stored message."""
    if outcome.asked:
        return Rehearsal(asked=outcome.asked)
    if outcome.error:
        place = outcome.error_place
        return Rehearsal(places=(place,), error=f"line {place.line}: {outcome.error}")
    effects = [*_filing(outcome, environment, standing), *_sending(outcome)]
    if any(_version(action) for action in outcome.actions):
        effects.append("edit the message")
    places = dict.fromkeys(action.place for action in outcome.actions if action.place.line)
    return Rehearsal(tuple(effects), tuple(places) if effects else ())


def _filing(outcome: Outcome, environment: Environment, standing: Standing) -> list[str]:
    """What becomes of the message itself."""
    if any(isinstance(action, Reject) for action in outcome.actions):
        reasons = [one.reason for one in outcome.actions if isinstance(one, Reject)]
        return [f"refuse: {' '.join(reasons[0].split())[:200]}"]
    targets: dict[str, list[str]] = {}
    for action in outcome.actions:
        if isinstance(action, (Keep, FileInto)):
            targets.setdefault(target_of(action, environment), []).extend(action.flags)
    if outcome.kept_implicitly:
        # Where no rule moves it, a message stays where its reader has put it.
        flags = targets.pop("INBOX", [])
        targets.setdefault(standing.mailbox, []).extend(flags)
    if not targets:
        return ["delete"] if not _redirected(outcome) else ["keep no copy"]
    effects = [_moved(name, standing, targets) for name in targets if name != standing.mailbox]
    present = {flag.lower() for flag in standing.flags}
    wanted = dict.fromkeys(flag for flags in targets.values() for flag in flags)
    return effects + [f"flag {flag}" for flag in wanted if flag.lower() not in present]


def _moved(name: str, standing: Standing, targets: dict[str, list[str]]) -> str:
    if standing.mailbox in targets or next(iter(targets)) != name:
        return f"copy to {name}"
    return f"move from {standing.mailbox} to {name}"


def target_of(action: Keep | FileInto, environment: Environment) -> str:
    """The mailbox in which a delivery would put it: INBOX for one that is not there."""
    if isinstance(action, Keep) or action.mailbox.upper() == "INBOX":
        return "INBOX"
    wanted = action.special_use.lower()
    for name, uses in environment.mailboxes.items():
        if wanted and wanted in {use.lower() for use in uses}:
            return name
    there = action.create or action.mailbox in environment.mailboxes
    return action.mailbox if there else "INBOX"


def _redirected(outcome: Outcome) -> bool:
    return any(isinstance(action, Redirect) for action in outcome.actions)


def _sending(outcome: Outcome) -> list[str]:
    effects = []
    for action in outcome.actions:
        match action:
            case Redirect(address, _, members):
                effects.append(f"forward to {'all in ' if members else ''}{address}")
            case Vacation(to=to, refused=""):
                effects.append(f"answer {to}")
            case Notify(to=to):
                effects.append(f"notify {', '.join(to)}")
            case _:
                pass
    return effects


def _version(action: Action) -> int:
    return action.version if isinstance(action, (Keep, FileInto, Redirect)) else 0
