"""What is due at one site: lanes, and the claims taken from them beforehand. Pure.

Lanes of one priority take turns message by message, so that a sender with a thousand messages
delays another's one by one message. A more urgent priority goes first; every FIFTH message is taken
from the others, so that they arrive too.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from storage.queue_batch import Wanted
from storage.queue_scan import DueLane
from storage.queue_values import Claim

FIFTH = 5
LANES_AT_ONCE = 50


@dataclass(slots=True)
class _Lane:
    """`more`: rows may be due beside the claims. `news` counts when that was heard, `asked` is its
    value when the last claim began: what was heard after that still holds.
    """

    due: DueLane
    ready: deque[Claim] = field(default_factory=deque)
    more: bool = False
    news: int = 0
    asked: int = 0


Turns = dict[str, OrderedDict[DueLane, None]]


class Backlog:
    """Lanes by priority: the first two characters of their name."""

    def __init__(self) -> None:
        self._lanes: dict[DueLane, _Lane] = {}
        self._ready: Turns = {}
        self._hungry: Turns = {}
        self._turn = 0
        self.claimed = 0
        """Claims that are ready."""

    def __len__(self) -> int:
        return len(self._lanes)

    @property
    def urgency(self) -> str:
        """The most urgent priority there is; what is more urgent comes first as text."""
        return min((*self._ready, *self._hungry), default="99")

    @property
    def hungry(self) -> bool:
        """Rows may be due beside the claims."""
        return bool(self._hungry)

    def append(self, due: DueLane, claim: Claim) -> None:
        """A claim of a message that is newer than what its lane has."""
        lane = self._lane(due)
        lane.ready.append(claim)
        self.claimed += 1
        self._sort(lane)

    def add(self, due: DueLane) -> None:
        """Something may be due there."""
        lane = self._lane(due)
        lane.more = True
        lane.news += 1
        self._sort(lane)

    def wanted(self, messages: int, *, together: bool = False) -> list[Wanted]:
        """What to claim so that about so many messages are ready: from each lane that has fewer
        than its share.
        """
        lanes = [self._lanes[due] for due in islice(self._in_turn(self._hungry), LANES_AT_ONCE)]
        share = max(1, messages // max(1, len(lanes)))
        lanes = [lane for lane in lanes if len(lane.ready) < share]
        for lane in lanes:
            lane.asked = lane.news
        return [Wanted(lane.due.domain, lane.due.lane, share, together) for lane in lanes]

    def put(self, wanted: Sequence[Wanted], claims: Sequence[Sequence[Claim]]) -> None:
        """Takes what was claimed; a lane that gave less than wanted has no more."""
        for want, found in zip(wanted, claims, strict=True):
            lane = self._lane(DueLane(want.domain, want.lane))
            lane.ready.extend(found)
            self.claimed += len(found)
            whole = len({claim.queue for claim in found}) >= want.messages
            lane.more = whole or lane.news != lane.asked
            self._sort(lane)
            if lane.more:
                self._hungry[_priority(lane.due)].move_to_end(lane.due)

    def give_back(self, due: DueLane, claim: Claim) -> None:
        """A claim that was not worked on goes to the front of its lane."""
        lane = self._lane(due)
        lane.ready.appendleft(claim)
        self.claimed += 1
        self._sort(lane)

    def pop(self) -> tuple[DueLane, Claim] | None:
        """The next claim; None when none is ready."""
        self._turn += 1
        due = next(self._in_turn(self._ready, others_first=self._turn % FIFTH == 0), None)
        if due is None:
            return None
        lane = self._lanes[due]
        self._ready[_priority(due)].move_to_end(due)
        claim = lane.ready.popleft()
        self.claimed -= 1
        self._sort(lane)
        return due, claim

    def due(self) -> list[DueLane]:
        """Every lane."""
        return list(self._lanes)

    def take(self, due: DueLane) -> Sequence[Claim]:
        """Forgets a lane; what was ready of it."""
        lane = self._lanes.get(due)
        if lane is None:
            return ()
        claims = tuple(lane.ready)
        self.claimed -= len(claims)
        lane.ready.clear()
        lane.more = False
        self._sort(lane)
        return claims

    def ready(self) -> list[Claim]:
        """Every claim that is ready."""
        return [claim for lane in self._lanes.values() for claim in lane.ready]

    def _in_turn(self, turns: Turns, *, others_first: bool = False) -> Iterator[DueLane]:
        order = sorted(turns)
        if others_first and len(order) > 1:
            order = [*order[1:], order[0]]
        for priority in order:
            yield from turns[priority]

    def _lane(self, due: DueLane) -> _Lane:
        lane = self._lanes.get(due)
        if lane is None:
            lane = self._lanes[due] = _Lane(due)
        return lane

    def _sort(self, lane: _Lane) -> None:
        """Enters a lane where it belongs; an empty one nowhere."""
        _enter(self._ready, lane.due, bool(lane.ready))
        _enter(self._hungry, lane.due, lane.more)
        if not lane.ready and not lane.more:
            self._lanes.pop(lane.due, None)


def _priority(due: DueLane) -> str:
    return due.lane[:2]


def _enter(turns: Turns, due: DueLane, there: bool) -> None:
    priority = _priority(due)
    if there:
        turns.setdefault(priority, OrderedDict()).setdefault(due)
    elif priority in turns:
        turns[priority].pop(due, None)
        if not turns[priority]:
            del turns[priority]
