"""Scripts that sievelib's generator writes are understood here, and mean what they say."""

from io import StringIO

from sievelib.factory import FiltersSet

from filters.sieve.actions import FileInto, Outcome, Redirect
from filters.sieve.environment import Environment
from filters.sieve.mail import mail_of
from filters.sieve.running import run
from filters.sieve.script import compile_script

MESSAGE = (
    b"From: Boss <boss@example.com>\r\nTo: me@example.org\r\nSubject: Project plan\r\n\r\nx\r\n"
)


def written(filters: FiltersSet) -> str:
    out = StringIO()
    filters.tosieve(out)
    return out.getvalue()


def outcome_of(filters: FiltersSet) -> Outcome:
    script = compile_script(written(filters))
    known = Environment(sender="boss@example.com", recipient="me@example.org")
    return run(script, mail_of(MESSAGE), known)


def test_headers_sizes_and_filing() -> None:
    filters = FiltersSet("test")
    filters.addfilter(
        "rule1",
        [("Subject", ":contains", "project"), ("size", ":under", "100k")],
        [("fileinto", ":copy", "Projects")],
        "allof",
    )
    filters.addfilter("rule2", [("From", ":is", "nobody@example.com")], [("discard",)])
    actions = outcome_of(filters).actions
    assert isinstance(actions[0], FileInto)
    assert (actions[0].mailbox, actions[0].copy) == ("Projects", True)


def test_envelope_and_redirect() -> None:
    filters = FiltersSet("test")
    filters.addfilter(
        "rule1",
        [("envelope", ":is", ["from"], ["boss@example.com"])],
        [("redirect", "other@example.net"), ("stop",)],
    )
    actions = outcome_of(filters).actions
    assert isinstance(actions[0], Redirect)
    assert actions[0].address == "other@example.net"


def test_negations_and_flags() -> None:
    filters = FiltersSet("test")
    filters.addfilter(
        "rule1",
        [("Subject", ":notcontains", "holiday"), ("exists", "To", "From")],
        [("fileinto", "Work"), ("addflag", "\\Flagged"), ("keep",)],
        "allof",
    )
    names = [type(action).__name__ for action in outcome_of(filters).actions]
    assert names == ["FileInto", "Keep"]
