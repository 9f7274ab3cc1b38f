"""The pipeline: order, refusals that end a stage, filters that fail, and the filters by name."""

from pathlib import Path
from typing import Any

import structlog
from structlog.testing import capture_logs

from config.sections_filters import DEFAULT_PIPELINE, FILTER_NAMES
from filters.authentication.results import Identity, Outcome, SpfResult
from filters.context import Context, Kind, Message, Peer
from filters.filter import Filter, Stage
from filters.pipeline import Pipeline
from filters.registry import FACTORIES, Tools, build
from filters.verdict import ACCEPT, Verdict, reject
from net.dns import Resolver
from net.threads import Offload
from storage.values import Content
from tests.support.directories import MovedClock, make_settings

CONTEXT = Context(Kind.MX, Peer("192.0.2.1"), trace="m1")


class Says(Filter):
    """Says one thing at MAIL and counts."""

    def __init__(self, name: str, verdict: Verdict | Exception) -> None:
        self.name, self._verdict, self.calls = name, verdict, 0

    async def mail(self, context: Context) -> Verdict:
        self.calls += 1
        if isinstance(self._verdict, Exception):
            raise self._verdict
        return self._verdict


def tools() -> Tools:
    nothing: Any = None  # these filters use neither directory nor store
    return Tools(MovedClock(), Resolver(), Offload(), nothing, nothing)


def pipeline(folder: Path, *filters: Filter) -> Pipeline:
    return Pipeline(make_settings(folder), tools(), structlog.get_logger(), filters=list(filters))


async def test_filters_run_in_order_until_one_refuses(tmp_path: Path) -> None:
    first, second, third = Says("a", ACCEPT), Says("b", reject("no")), Says("c", ACCEPT)
    line = pipeline(tmp_path, first, second, third)
    assert (await line.run(Stage.MAIL, CONTEXT)).text == "no"
    assert (first.calls, second.calls, third.calls) == (1, 1, 0)
    timing = line.timings["b", Stage.MAIL]
    assert (timing.calls, timing.refusals, timing.errors) == (1, 1, 0) and timing.seconds > 0


async def test_a_filter_is_asked_only_at_its_stages(tmp_path: Path) -> None:
    line = pipeline(tmp_path, Says("a", reject("no")))
    assert await line.run(Stage.RCPT, CONTEXT) is ACCEPT
    assert list(line.timings) == [("a", Stage.MAIL)]


async def test_a_failing_filter_is_logged_and_loses_nothing(tmp_path: Path) -> None:
    tagging = Says("tag", Verdict(keywords=frozenset(["k"])))
    line = pipeline(tmp_path, Says("broken", ValueError("bug")), tagging)
    with capture_logs() as logs:
        verdict = await line.run(Stage.MAIL, CONTEXT)
    assert not verdict.refused
    assert verdict.symbols == ("broken-error",) and verdict.keywords == {"k"}
    assert logs[0]["filter"] == "broken" and logs[0]["message"] == "m1"
    assert line.timings["broken", Stage.MAIL].errors == 1


def test_every_name_of_the_settings_has_a_filter(tmp_path: Path) -> None:
    assert set(FACTORIES) == set(FILTER_NAMES)
    names = [one.name for one in build(make_settings(tmp_path), tools())]
    assert names == ["syntax", *DEFAULT_PIPELINE, "stranger"]
    none = make_settings(tmp_path, filters={"pipeline": []})
    assert [one.name for one in build(none, tools())] == ["syntax", "stranger"]


async def test_results_stand_in_the_context_for_later_filters(tmp_path: Path) -> None:
    found = SpfResult(Outcome.PASS, Identity.MAIL_FROM, "example.test")
    context = Context(Kind.MX, Peer("192.0.2.1"))
    line = pipeline(tmp_path, Says("spf", Verdict(results=(found,))), Says("b", ACCEPT))
    verdict = await line.run(Stage.MAIL, context)
    assert (context.results, verdict.results) == ([found], (found,))


async def test_reload_takes_the_filters_of_the_new_settings(tmp_path: Path) -> None:
    only: dict[str, Any] = {"filters": {"pipeline": ["tagging"]}}
    line = Pipeline(make_settings(tmp_path, **only), tools(), structlog.get_logger())
    context = Context(Kind.MX, Peer("192.0.2.1"))
    context.message = Message(Content(11, b""), b"Subject: x\r\n")
    assert not (await line.run(Stage.DATA, context)).refused
    line.reload(make_settings(tmp_path, **only, limits={"message_size": 10}))
    assert (await line.run(Stage.DATA, context)).code == 552
