"""A script over a message: `run` gives what it wants done, and never raises (RFC 5228 §2.10).

An error, or a limit that is reached, undoes what the script decided: the message is kept.
"""

import time
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
        return Outcome(
            error_place=Place(state.line, state.script),
            asked=unanswered.questions,
            steps=limits.steps - state.left,
            cpu=time.thread_time() - state.began,
        )
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
    limits: Limits = LIMITS,
) -> Outcome:
    """Run until nothing is asked any more: `evaluate` runs the script (in a thread, say), `answer`
    finds one answer. Ends by itself: a run asks a bounded number of questions, and all runs that
    end with some have the CPU of one.
    """
    answers, cpu = dict(environment.answers), 0.0
    while True:
        outcome = await evaluate(replace(environment, answers=answers))
        if not outcome.asked:
            return outcome
        cpu += outcome.cpu
        if cpu > limits.cpu:
            return replace(
                outcome,
                actions=(Keep(implicit=True),),
                error=f"the script took more than {limits.cpu} seconds",
                asked=(),
            )
        for question in outcome.asked:
            answers[question] = await answer(question)
