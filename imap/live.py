"""Results that are kept up to date: RETURN (UPDATE) of SEARCH and SORT (RFC 5267 §4.3).

Only messages that arrived or changed are looked at again. REMOVEFROM of expunged messages precedes
their EXPUNGE, ADDTO of arrivals follows EXISTS. A SEARCH names position 0, a SORT the true ones:
removals from the last on, additions from the first on, so that each position holds when its turn
comes.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from imap.grammar.number_lists import runs
from imap.grammar.responses import esearch_start
from imap.grammar.search_commands import SortCriterion
from imap.grammar.search_key import SearchKey
from imap.selected import Selected

_FEW: Final = 16
Pairs = Sequence[tuple[int, Sequence[int]]]


@dataclass(slots=True)
class LiveResult:
    """`members` are UIDs in the order of the result; `ready` once the first result is known."""

    tag: str
    uid: bool
    key: SearchKey
    criteria: tuple[SortCriterion, ...] = ()
    members: "array[int]" = field(default_factory=lambda: array("I"))
    ready: bool = False

    @property
    def positioned(self) -> bool:
        """Whether positions mean anything: those of a SORT."""
        return bool(self.criteria)

    def places(self, uids: Iterable[int]) -> list[int]:
        """Ascending places of those that are members."""
        wanted, members = set(uids), self.members
        if not self.positioned:
            return sorted(place for uid in wanted if (place := self._found(uid)) >= 0)
        if len(wanted) <= _FEW:
            return sorted(members.index(uid) for uid in wanted if uid in members)
        return [place for place, uid in enumerate(members) if uid in wanted]

    def _found(self, uid: int) -> int:
        """The place in a result that ascends, or -1."""
        place = bisect_left(self.members, uid)
        return place if place < len(self.members) and self.members[place] == uid else -1

    def fresh_places(self, uids: Sequence[int]) -> list[int]:
        """The final places of UIDs, which ascend, in a result that ascends."""
        return [bisect_left(self.members, uid) + before for before, uid in enumerate(uids)]

    def remove(self, places: Sequence[int]) -> Pairs:
        """Takes members out; pairs of position and UIDs for REMOVEFROM."""
        members, spans = self.members, runs(places)
        if self.positioned:
            pairs = [(low + 1, members[low : high + 1]) for low, high in reversed(spans)]
        else:
            pairs = [(0, array("I", [members[place] for place in places]))] if places else []
        kept = array("I")
        for before, after in pairwise([(0, -1), *spans, (len(members), 0)]):
            kept += members[before[1] + 1 : after[0]]
        self.members = kept
        return pairs

    def add(self, places: Sequence[int], uids: Sequence[int]) -> Pairs:
        """Puts UIDs to their final places, which ascend; pairs for ADDTO."""
        for place, uid in zip(places, uids, strict=True):
            self.members.insert(place, uid)
        if not self.positioned:
            return [(0, uids)] if uids else []
        return [(low + 1, self.members[low : high + 1]) for low, high in runs(places)]

    def line(self, selected: Selected, removed: Pairs, added: Pairs = ()) -> bytes:
        """The response, nothing when nothing changed."""
        words = [esearch_start(self.tag, uid=self.uid)]
        for name, pairs in ((b"REMOVEFROM", removed), (b"ADDTO", added)):
            if pairs:
                listed = [b"%d %s" % (at, self._set(selected, uids)) for at, uids in pairs]
                words.append(b"%s (%s)" % (name, b" ".join(listed)))
        return b" ".join(words) + b"\r\n" if len(words) > 1 else b""

    def _set(self, selected: Selected, uids: Sequence[int]) -> bytes:
        numbers = list(uids) if self.uid else [selected.number(uid) for uid in uids]
        return ",".join(
            [str(low) if low == high else f"{low}:{high}" for low, high in runs(numbers)]
        ).encode()


def without_expunged(selected: Selected) -> bytes:
    """REMOVEFROM of what is about to be told with EXPUNGE."""
    lines = []
    for live in selected.live.values():
        places = live.places(selected.expunged)
        if places:
            lines.append(live.line(selected, live.remove(places)))
    return b"".join(lines)
