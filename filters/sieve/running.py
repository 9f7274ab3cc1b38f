"""A script over a message: `run` gives what it wants done, and never raises (RFC 5228 §2.10).

An error, or a limit that is reached, undoes what the script decided: the message is kept.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from filters.sieve.actions import Keep, Outcome, Place
from filters.sieve.environment import Answer, Environment, Question
from filters.sieve.errors import RunError
from filters.sieve.limits import LIMITS, Limits
from filters.sieve.mail import Mail, fields_of
from filters.sieve.script import Script
from filters.sieve.state import Run, Unanswered, execute

_DEEP: Final = "the script is nested too deep"


def run(script: Script, mail: Mail, environment: Environment, limits: Limits = LIMITS) -> Outcome:
    """Pure: the same values give the same outcome, so that it may run in any thread, repeatedly."""
    state = Run(mail, fields_of(mail.header), environment, limits)
    state.start()
    state.shared_names = script.shared_names
    try:
        execute(script.nodes, state)
        if not state.explicit:
            state.add(Keep(tuple(state.flags), implicit=True, version=state.version()))
    except Unanswered as unanswered:
        return Outcome(asked=unanswered.question, steps=limits.steps - state.left)
    except RunError as error:
        return _failed(state, str(error))
    except RecursionError:
        return _failed(state, _DEEP)
    return Outcome(
        tuple(state.actions),
        tuple(state.matched),
        tuple(state.versions),
        tuple(state.tracks),
        tuple(state.warnings),
        steps=limits.steps - state.left,
    )


def _failed(state: Run, error: str) -> Outcome:
    return Outcome(
        (Keep(implicit=True),),
        tuple(state.matched),
        warnings=tuple(state.warnings),
        error=error,
        error_place=Place(state.line, state.script),
        steps=state.limits.steps - state.left,
    )


async def run_asking(
    evaluate: Callable[[Environment], Awaitable[Outcome]],
    answer: Callable[[Question], Awaitable[Answer]],
    environment: Environment,
) -> Outcome:
    """Run until nothing is asked any more: `evaluate` runs the script (in a thread, say), `answer`
    finds one answer. Ends by itself: a run asks a bounded number of questions.
    """
    answers = dict(environment.answers)
    while True:
        outcome = await evaluate(replace(environment, answers=answers))
        if outcome.asked is None:
            return outcome
        answers[outcome.asked] = await answer(outcome.asked)
