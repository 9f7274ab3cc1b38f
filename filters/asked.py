"""What one filter said at one stage, as the pipeline gathers it for the record of a message."""

from typing import NamedTuple

from filters.verdict import Verdict

MOST = 64
"""Answers of one stage that are kept: at RCPT filters are asked for each recipient."""


class Asked(NamedTuple):
    """`seconds` is what it took, `error` why the filter failed; `skipped`: a policy left it out."""

    filter: str
    stage: str
    verdict: Verdict
    seconds: float = 0.0
    error: str = ""
    skipped: bool = False
