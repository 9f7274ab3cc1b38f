"""How much a script may be, and how much it may do. Sizes in characters where text is meant."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`script_size` in octets; `nesting` of blocks and of tests each; `commands` in one script.

    While it runs: `actions` and `redirects` of one run, `include_depth` and `includes` of scripts,
    `steps` (a test, an action, or about a microsecond of a long comparison), `cpu` seconds of the
    thread, `variables` that are set, each `variable_size` at most (longer values are cut, RFC 5229
    §6), `body_size` octets of a body looked at, `html_size` characters of one part of HTML read as
    text, `parts` of one message, `questions` asked outside, `listed` values of one test looked for
    in lists: those behind them are in none.
    """

    script_size: int = 256 * 1024
    nesting: int = 15
    commands: int = 10_000
    problems: int = 20
    actions: int = 32
    redirects: int = 4
    include_depth: int = 10
    includes: int = 255
    steps: int = 2_000_000
    cpu: float = 2.0
    variables: int = 256
    variable_size: int = 8192
    body_size: int = 2 * 1024 * 1024
    html_size: int = 256 * 1024
    parts: int = 500
    added_headers: int = 64
    questions: int = 1000
    listed: int = 250


LIMITS = Limits()
