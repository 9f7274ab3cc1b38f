"""What is wrong with a script: at compile time with its place, at run time with a sentence."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake; `line` and `column` count from 1, columns in characters."""

    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.text}"


class CompileError(ValueError):
    """The script can't be used; `problems` in the order in which they were found, at least one."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems

    def __reduce__(self) -> tuple[type["CompileError"], tuple[tuple[Problem, ...]]]:
        return CompileError, (self.problems,)


class Mistake(Exception):
    """A mistake at an offset of the text; the compiler turns it into a Problem."""

    def __init__(self, text: str, offset: int) -> None:
        super().__init__(text)
        self.text = text
        self.offset = offset


class RunError(Exception):
    """The script can't go on (RFC 5228 §2.10.6); its message says why."""
