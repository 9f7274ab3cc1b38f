"""AuthService as processes call it of one another: auth/service.py with its errors on the wire."""

from dataclasses import dataclass
from typing import Final

from auth.service import AuthService, Fault, Problem
from net.contract import contract, declared

NAME: Final = "auth"


@dataclass(frozen=True, slots=True)
class _Told:
    fault: str
    detail: str
    wait: float
    factors: list[str]
    ticket: str


def _shown(problem: Problem) -> _Told:
    factors = list(problem.factors)
    return _Told(problem.fault.name, str(problem), problem.wait, factors, problem.ticket)


def _made(told: _Told) -> Problem:
    return Problem(
        Fault[told.fault],
        told.detail,
        wait=told.wait,
        factors=tuple(told.factors),
        ticket=told.ticket,
    )


AUTH: Final = contract(NAME, AuthService, declared(Problem, _Told, _shown, _made))
