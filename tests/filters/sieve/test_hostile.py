"""Scripts and messages that want to stall the server: each ends within its limits, in a keep."""

import pickle
import re
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.sieve import tree
from filters.sieve.actions import FileInto, Keep, Outcome, Reject
from filters.sieve.environment import Answer, Ask, Environment, Question
from filters.sieve.errors import CompileError
from filters.sieve.formatting import text_of
from filters.sieve.limits import LIMITS
from filters.sieve.mail import mail_of
from filters.sieve.parser import parse
from filters.sieve.running import run, run_asking
from filters.sieve.script import compile_script
from filters.sieve.tree import Command, Number, String, Strings, Tag
from tests.support.sieve_cases import all_cases

MESSAGES = sorted({case.message.replace("\n", "\r\n").encode() for case in all_cases()})
PLAIN = b"From: a@example.com\r\nTo: b@example.org\r\nSubject: hello\r\n\r\nbody\r\n"


def outcome_of(script: str | bytes, message: bytes = PLAIN) -> Outcome:
    return run(compile_script(script), mail_of(message), Environment(sender="a@example.com"))


def problem_of(script: str | bytes) -> str:
    with pytest.raises(CompileError) as caught:
        compile_script(script)
    return str(caught.value.problems[0])


def test_text_that_is_no_script_has_its_place() -> None:
    assert problem_of(b"keep;\n\xff") == "line 2, column 1: the script is not UTF-8 here"
    assert problem_of("keep;\0") == "line 1, column 6: the script has a NUL in it"
    assert problem_of(" " * 263_000) == "line 1, column 1: the script is longer than 262144 octets"


def test_nesting_is_bounded() -> None:
    deep = "if true {" * 16 + "keep;" + "}" * 16
    assert "blocks are nested more than 15 deep" in problem_of(deep)
    assert "tests are nested more than 15 deep" in problem_of(f"if {'not ' * 5000} true {{}}")
    assert "tests are nested" in problem_of("if anyof(" * 3000)
    assert outcome_of("if true {" * 15 + "discard;" + "}" * 15).error == ""


def test_commands_are_bounded() -> None:
    assert "more than 10000 commands" in problem_of("keep;" * 10_001)


def test_mistakes_are_bounded() -> None:
    with pytest.raises(CompileError) as caught:
        compile_script("foo;" * 1000)
    assert len(caught.value.problems) == LIMITS.problems
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_variables_that_double_stay_small() -> None:
    script = 'require ["variables", "fileinto"]; set "a" "xxxxxxxxxxxxxxxx";'
    script += 'set "a" "${a}${a}${a}${a}${a}${a}${a}${a}";' * 500
    script += 'if string :is "${a}" "x" { stop; } set :length "n" "${a}"; fileinto "${n}";'
    action = outcome_of(script).actions[0]
    assert isinstance(action, FileInto)
    assert action.mailbox == str(LIMITS.variable_size)


def test_a_long_text_is_not_cut_where_a_variable_is_in_it() -> None:
    long = "x" * 20_000
    script = f'require ["variables", "reject"]; set "a" "y"; reject "{long}${{a}}{long}${{a}}";'
    (action,) = outcome_of(script).actions
    assert isinstance(action, Reject)
    assert action.reason == f"{long}y{long}y"


def test_variables_are_counted() -> None:
    script = 'require "variables";' + "".join(f'set "v{number}" "x";' for number in range(300))
    assert "more than 256 variables" in outcome_of(script).error


BOMBS = (
    r"(a+)+$",
    r"^(a|aa)+$",
    r"(.*)*x",
    r"(a*)*b",
    r"((a{1,30}){1,30}){1,3}b",
    r"(x+x+)+y",
    r".*.*.*.*.*.*=.*",
    "a?" * 60 + "a" * 60,
    r"([^:]*:)*([^:]*:)*([^:]*:)*!",
)


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("length", [40, 2000])
def test_expressions_do_not_explode(bomb: str, length: int) -> None:
    message = b"Subject: " + b"a" * length + b"!\r\n\r\n"
    script = 'require ["regex", "variables"]; if header :regex "subject" "%s" { discard; }'
    for capture in (script, script.replace(', "variables"', "")):
        try:
            outcome = outcome_of(capture % bomb.replace("\\", "\\\\"), message)
        except CompileError as error:
            assert "its repeats make it too large" in str(error)
            continue
        limit = LIMITS.cpu
        assert outcome.error in ("", f"the script took more than {limit} seconds")


def test_repeats_of_repeats_are_refused() -> None:
    script = 'require "regex"; if header :regex "subject" "a' + "*" * 900 + '" { keep; }'
    assert "it repeats what is repeated already" in problem_of(script)


def test_expressions_over_many_values_are_timed() -> None:
    message = b"".join(b"X: " + b"a" * 24 + b"%d\r\n" % number for number in range(5000)) + b"\r\n"
    keys = ", ".join(f'"(a|a){{{number}}}(a|a){{3}}a*a*b"' for number in range(3, 20))
    limits = replace(LIMITS, cpu=0.1)
    script = compile_script('require "regex"; if header :regex "x" [' + keys + "] { discard; }")
    outcome = run(script, mail_of(message), Environment(), limits)
    assert outcome.actions == (Keep(implicit=True),)


def test_expressions_of_variables_are_timed() -> None:
    limits = replace(LIMITS, cpu=0.1)
    script = 'require ["regex", "variables"]; set "a" "' + "(a|b)" * 190 + '";'
    script += 'if header :regex "subject" "${a}" { stop; }' * 1000
    outcome = run(compile_script(script), mail_of(PLAIN), Environment(), limits)
    assert outcome.error == "the script took more than 0.1 seconds"


@pytest.mark.parametrize("kind", ["regex", "matches"])
def test_a_list_of_long_expressions_of_variables_is_timed(kind: str) -> None:
    long = "(a|b)" * 190 if kind == "regex" else "".join(f"*{chr(at)}?" for at in range(97, 2000))
    keys = ", ".join(['"${a}"'] * 1700)
    script = compile_script(
        f'require ["regex", "variables"]; set "a" "{long}";'
        f'if header :{kind} "subject" [{keys}] {{ stop; }}'
    )
    outcome = run(script, mail_of(PLAIN), Environment(), replace(LIMITS, cpu=0.1))
    assert outcome.error == "the script took more than 0.1 seconds"
    assert outcome.steps < LIMITS.steps / 4  # it ended long before the last of them


def test_holes_in_wildcards_are_paid_for() -> None:
    message = b"Subject: " + b"a" * 60_000 + b"\r\n\r\n"
    script = f'if header :matches "subject" "*{"?" * 60_000}b*" {{ discard; }}'
    assert "steps" in outcome_of(script, message).error


def test_many_expressions_hold_little_memory() -> None:
    pattern = "(a{1,30}b?){1,30}c"
    tests = f'if header :regex "subject" "{pattern}" {{ keep; }}' * 25
    tracemalloc.start()
    try:
        script = compile_script('require "regex";' + tests)
        run(script, mail_of(PLAIN), Environment())
        assert tracemalloc.get_traced_memory()[0] < 1_000_000
    finally:
        tracemalloc.stop()


def test_wildcards_do_not_explode() -> None:
    message = b"Subject: " + b"a" * 60_000 + b"\r\n\r\n"
    script = f'if header :matches "subject" "{"*a?" * 200}b" {{ discard; }}' * 50
    assert outcome_of(script, message).actions == (Keep(implicit=True),)


def test_steps_are_bounded() -> None:
    message = b"".join(b"X: %d\r\n" % number for number in range(5000)) + b"\r\n"
    keys = ", ".join(f'"{number}?"' for number in range(500))
    script = f'if header :contains "x" [{keys}] {{ discard; }}' * 10
    limits = replace(LIMITS, steps=10_000)
    outcome = run(compile_script(script), mail_of(message), Environment(), limits)
    assert outcome.error == "the script took more than 10000 steps"
    assert outcome.actions == (Keep(implicit=True),)


def test_time_is_bounded() -> None:
    message = b"Subject: " + b"ab" * 30_000 + b"\r\n\r\n"
    script = 'require "regex";' + 'if header :regex "subject" "(a|b|c)*(d*|e)*!" { discard; }' * 20
    limits = replace(LIMITS, cpu=0.02)
    outcome = run(compile_script(script), mail_of(message), Environment(), limits)
    assert outcome.error == "the script took more than 0.02 seconds"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_compile_or_have_a_problem(data: bytes) -> None:
    try:
        compile_script(data)
    except CompileError as error:
        assert all(one.line > 0 and one.column > 0 and one.text for one in error.problems)


WORDS = (
    *("if", "elsif", "else", "keep", ";", "{", "}", "(", ")", "[", "]", ",", "not", "anyof"),
    *("header", "address", "size", ":over", "10K", ":contains", ":matches", '"a"', '"*?"', "true"),
    *("require", '"regex"', '"variables"', ":regex", "set", "fileinto", '"${a}"', "text:\n.\n"),
    *("foreverypart", "include", "vacation", ":days", "notify", "date", "body", "hasflag", "stop"),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=40), st.binary(max_size=200))
def test_any_words_compile_or_have_a_problem_and_run(words: list[str], message: bytes) -> None:
    try:
        outcome = outcome_of(" ".join(words), message)
    except CompileError as error:
        assert re.match(r"line \d+, column \d+: \S", str(error))
    else:
        assert outcome.actions or outcome.asked


PIECES = re.compile(r'"(?:[^"\\\\]|\\\\.)*"|:?\w+|\s+|.', re.DOTALL)
SCRIPTS = [PIECES.findall(case.script) for case in all_cases()]
EVERY_PIECE = sorted({piece for script in SCRIPTS for piece in script})
ANSWERS: dict[Ask, Answer] = {
    Ask.LISTED: frozenset(["urn:ietf:params:sieve:addrbook:default"]),
    Ask.LIST: True,
    Ask.SEEN: True,
    Ask.METADATA: "on",
    Ask.SCRIPT: compile_script("keep;"),
}


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_scripts_that_were_changed_compile_or_have_a_problem_and_run(data: st.DataObject) -> None:
    pieces = list(data.draw(st.sampled_from(SCRIPTS)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, max(len(pieces) - 1, 0)))
        pieces[at : at + data.draw(st.integers(0, 2))] = data.draw(
            st.lists(st.sampled_from(EVERY_PIECE), max_size=2)
        )
    case = data.draw(st.sampled_from(MESSAGES))
    known = Environment("a@example.com", mailboxes={"INBOX": frozenset()}, spam=50.0, virus=1)
    known = replace(known, ask=lambda question: ANSWERS[question.ask])
    try:
        script = compile_script("".join(pieces))
    except CompileError as error:
        assert all(one.line > 0 and one.column > 0 and one.text for one in error.problems)
    else:
        outcome = run(script, mail_of(case), known)
        assert outcome.actions
        for version in range(len(outcome.versions)):
            outcome.message(case, version)


TEXT = st.text(st.characters(exclude_characters="\r\n\0", codec="utf-8"), max_size=12)
STRING = st.builds(String, TEXT)
ARGUMENT = st.one_of(
    STRING,
    st.builds(Strings, st.lists(STRING, max_size=3).map(tuple)),
    st.builds(Number, st.integers(0, 2**31 - 1)),
    st.builds(Tag, st.from_regex(r":[a-z_][a-z0-9_]{0,8}", fullmatch=True)),
)
NAME = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True).filter(lambda name: name != "text")
ARGUMENTS = st.lists(ARGUMENT, max_size=3).map(tuple)
LEAF = st.builds(tree.Test, NAME, ARGUMENTS)
TESTS = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.builds(tree.Test, NAME, ARGUMENTS, st.tuples(inner)),
        st.builds(
            tree.Test,
            NAME,
            ARGUMENTS,
            st.lists(inner, min_size=1, max_size=3).map(tuple),
            st.just(True),
        ),
    ),
    max_leaves=5,
)
PLAIN_COMMAND = st.builds(Command, NAME, ARGUMENTS, st.tuples(TESTS) | st.just(()))
COMMANDS = st.recursive(
    PLAIN_COMMAND,
    lambda inner: st.builds(
        Command,
        NAME,
        ARGUMENTS,
        st.tuples(TESTS) | st.just(()),
        st.just(False),
        st.lists(inner, max_size=3).map(tuple),
    ),
    max_leaves=6,
)


@settings(max_examples=25, deadline=None)
@given(st.lists(COMMANDS, max_size=3).map(tuple))
def test_a_tree_comes_back_from_its_text(commands: tuple[Command, ...]) -> None:
    assert parse(text_of(commands)) == commands


def test_scripts_may_be_pickled() -> None:
    script = compile_script(
        'require ["variables", "regex", "fileinto", "relational"];'
        'if anyof (header :matches "subject" "h*", header :regex "subject" "^(h)",'
        ' header :value "gt" "subject" "a") { set :upper "a" "${1}"; fileinto "${a}"; }'
    )
    again = pickle.loads(pickle.dumps(script))
    mail = mail_of(PLAIN)
    assert run(again, mail, Environment()).actions == run(script, mail, Environment()).actions


def test_includes_that_double_are_counted() -> None:
    def answer(question: Question) -> Answer:
        number = int(question.name)
        return compile_script(f'require "include"; include "{number + 1}"; include "{number + 1}";')

    limits = replace(LIMITS, include_depth=100, questions=10_000)
    known = Environment(ask=answer)
    script = compile_script('require "include"; include "0";')
    outcome = run(script, mail_of(PLAIN), known, limits)
    assert outcome.error == "scripts include more than 100 deep"
    ends = compile_script("keep;")
    known = Environment(ask=lambda question: answer(question) if int(question.name) < 12 else ends)
    assert run(script, mail_of(PLAIN), known, limits).error == "more than 255 scripts are included"


def test_questions_are_counted() -> None:
    script = compile_script('require "extlists";' + many_lists(99))
    limits = replace(LIMITS, questions=64)
    known = Environment(ask=lambda _: True)
    outcome = run(script, mail_of(PLAIN), known, limits)
    assert outcome.error == "the script asked more than 64 questions"


def many_lists(count: int) -> str:
    return "".join(f'if not valid_ext_list "tag:{number}" {{ stop; }}' for number in range(count))


def test_a_thousand_addresses_are_asked_for_at_once_and_in_part() -> None:
    to = ", ".join(f"{number}@example.com" for number in range(1000))
    script = compile_script(
        'require "extlists"; if address :list "to" ":addrbook:default" { discard; }'
    )
    outcome = run(script, mail_of(f"To: {to}\r\n\r\n".encode()), Environment())
    assert len(outcome.asked) == LIMITS.listed
    answers: dict[Question, Answer] = dict.fromkeys(outcome.asked, frozenset())
    again = run(script, mail_of(f"To: {to}\r\n\r\n".encode()), Environment(answers=answers))
    assert (again.error, again.actions) == ("", (Keep(implicit=True),))


async def test_all_runs_of_a_script_that_asks_have_the_time_of_one() -> None:
    message = mail_of(b"Subject: " + b"ab" * 2000 + b"\r\n\r\n")
    slow = 'if header :regex "subject" "(a|b|c)*(d*|e)*!" { discard; }'
    script = compile_script('require ["regex", "extlists"];' + slow + many_lists(999))
    limits = replace(LIMITS, cpu=0.1)
    runs = 0

    async def evaluate(environment: Environment) -> Outcome:
        nonlocal runs
        runs += 1
        return run(script, message, environment, limits)

    async def answer(_: Question) -> Answer:
        return True

    outcome = await run_asking(evaluate, answer, Environment(), limits)
    assert (outcome.error, outcome.asked) == ("the script took more than 0.1 seconds", ())
    assert outcome.actions == (Keep(implicit=True),)
    assert runs < 999


PARTS = (
    b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    + b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * 400
    + b"--b--\r\n"
)


def test_parts_are_counted() -> None:
    script = 'require ["foreverypart", "mime"]; foreverypart { stop; }'
    message = PARTS.replace(b"--b--\r\n", b"--b\r\n\r\nx\r\n" * 200)
    assert outcome_of(script, message).error == "the message has more than 500 parts"
    assert outcome_of(script, PARTS).error == ""


def test_versions_of_a_message_are_counted() -> None:
    script = (
        'require ["foreverypart", "enclose"]; foreverypart { enclose "x"; redirect "a@b.example"; }'
    )
    outcome = outcome_of(script, PARTS)
    assert outcome.error == "the message is changed and used more than 32 times"
    assert outcome.actions == (Keep(implicit=True),)
    assert outcome_of(script.replace('redirect "a@b.example";', ""), PARTS).error == ""


def test_a_thousand_rules_over_a_long_body_stay_within_their_steps() -> None:
    message = b"Subject: x\r\n\r\n" + b"lorem ipsum dolor\r\n" * 5000
    script = 'require "body";' + 'if body :contains "zzz" { discard; }' * 1000
    assert outcome_of(script, message).error == ""


def peak_of(script: str, message: bytes) -> int:
    """Octets that a run held at most."""
    made, mail = compile_script(script), mail_of(message)
    tracemalloc.start()
    try:
        run(made, mail, Environment())
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_one_text_under_many_names_is_not_kept_for_each() -> None:
    message = b"Subject: " + b"a" * 60_000 + b"\r\n" + b"\r\n" + b"lorem\r\n" * 100_000
    tests = [f'if header ["subject", "x{at}"] "no" {{ stop; }}' for at in range(1000)]
    assert peak_of("".join(tests), message) < 20_000_000
    tests = [f'if body :content ["text", "x{at}"] "no" {{ stop; }}' for at in range(200)]
    assert peak_of('require "body";' + "".join(tests), message) < 30_000_000
