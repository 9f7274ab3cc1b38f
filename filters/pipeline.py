"""Runs the filters of each stage in order and merges what they say.

Invariants: a filter that raises is logged and counted, and never loses or refuses mail; a refusal
ends its stage; what every filter said and the time it took stand in the context.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

from config.logging import Logger
from config.settings import Settings
from filters.asked import MOST, Asked
from filters.context import Context
from filters.filter import Filter, Stage
from filters.registry import Tools, build
from filters.verdict import ACCEPT, Verdict, merge

Ask = Callable[[Context], Awaitable[Verdict]]


@dataclass(slots=True)
class Timing:
    """What one filter cost at one stage; seconds."""

    calls: int = 0
    seconds: float = 0.0
    errors: int = 0
    refusals: int = 0


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    ask: Ask
    timing: Timing


class Pipeline:
    """The filters of filters.pipeline behind the checks that are always on.

    `timings` holds what each filter cost by name and stage, for metrics.
    """

    def __init__(
        self,
        settings: Settings,
        tools: Tools,
        log: Logger,
        *,
        filters: Sequence[Filter] | None = None,
    ) -> None:
        self._tools, self._log = tools, log
        self.timings: dict[tuple[str, Stage], Timing] = {}
        self._use(build(settings, tools) if filters is None else filters)

    def reload(self, settings: Settings) -> None:
        """Builds the filters of a changed configuration; stages under way end with the old ones."""
        self._use(build(settings, self._tools))

    async def run(self, stage: Stage, context: Context) -> Verdict:
        """The merged verdict of one stage."""
        steps = self._steps[stage]
        if not steps:
            return ACCEPT
        told: list[Verdict] = []
        earlier, skipped = context.told.get(stage.value, ()), context.policy.skip
        asked = context.asked.setdefault(stage.value, [])
        for step in steps:
            if skipped and step.name in skipped:
                _keep(asked, Asked(step.name, stage.value, ACCEPT, skipped=True))
                continue
            verdict = await self._ask(step, stage, context, asked)
            if verdict is not ACCEPT:
                told.append(verdict)
                context.results.extend(verdict.results)
                if verdict.refused:
                    context.told[stage.value] = earlier
                    return merge(told)
                context.told[stage.value] = (*earlier, *told)
        return merge(told)

    async def _ask(
        self, step: _Step, stage: Stage, context: Context, asked: list[Asked]
    ) -> Verdict:
        started = perf_counter()
        timing, failure = step.timing, ""
        try:
            verdict = await step.ask(context)
        except Exception as error:
            timing.errors += 1
            failure = repr(error)
            self._log.exception(
                "filter failed",
                filter=step.name,
                stage=stage.value,
                connection=context.connection,
                message=context.trace,
            )
            verdict = Verdict(symbols=(f"{step.name}-error",))
        seconds = perf_counter() - started
        timing.calls += 1
        timing.seconds += seconds
        timing.refusals += verdict.refused
        _keep(asked, Asked(step.name, stage.value, verdict, seconds, failure))
        return verdict

    def _use(self, filters: Sequence[Filter]) -> None:
        self._steps = {stage: self._of(stage, filters) for stage in Stage}

    def _of(self, stage: Stage, filters: Sequence[Filter]) -> tuple[_Step, ...]:
        steps = []
        for one in filters:
            if getattr(type(one), stage.value) is not getattr(Filter, stage.value):
                timing = self.timings.setdefault((one.name, stage), Timing())
                steps.append(_Step(one.name, getattr(one, stage.value), timing))
        return tuple(steps)


def _keep(asked: list[Asked], one: Asked) -> None:
    if len(asked) < MOST:
        asked.append(one)
