"""What earlier mail of the same sender, domain, network or text says about a message. Pure.

Whom a message is from counts under its name only where that is proved; a name that is only claimed
has a standing of its own, so that nobody spoils another's.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from filters.spam.domains import registered
from filters.spam.fuzzy import AGREE
from filters.spam.rules.mail import Found
from storage.reputation import About, Standing, Subject

ENOUGH: Final = 3.0
"""Messages below which a standing says nothing."""
FIRM: Final = 20.0
"""Messages from which on it says all it can."""
_CLAIMED: Final = "claimed:"
_NAMES: Final = {
    About.SENDER: ("SENDER_REPUTATION_SPAM", "SENDER_REPUTATION_HAM"),
    About.DOMAIN: ("DOMAIN_REPUTATION_SPAM", "DOMAIN_REPUTATION_HAM"),
    About.NETWORK: ("IP_REPUTATION_SPAM", "IP_REPUTATION_HAM"),
}
_BODY_ENOUGH: Final = 1.5


def subjects(
    author: str, proved: bool, network: str, bands: Sequence[str], *, domain: bool = True
) -> tuple[Subject, ...]:
    """What has a standing in a message; `network` is "" for a peer that has none here, `domain`
    whether the author's is meant too.
    """
    found: list[Subject] = []
    if author:
        mark = "" if proved else _CLAIMED
        found.append((About.SENDER, mark + author))
        if domain:
            found.append((About.DOMAIN, mark + registered(author.rpartition("@")[2])))
    if network:
        found.append((About.NETWORK, network))
    found += [(About.BODY, band) for band in bands]
    return tuple(found)


def judge_standings(known: Iterable[tuple[Subject, Standing]]) -> tuple[Found, ...]:
    """Symbols with as much of their weight as is known and certain."""
    found: list[Found] = []
    bodies: list[Standing] = []
    for (about, what), standing in known:
        if about is About.BODY:
            bodies.append(standing)
        elif standing.weight >= ENOUGH:
            found += _standing(about, what, standing)
    return (*found, *_bodies(bodies))


def _standing(about: About, what: str, standing: Standing) -> list[Found]:
    spam, ham = _NAMES[about]
    sure = min(1.0, standing.weight / FIRM)
    detail = f"{what}: {standing.bad:.0f} of {standing.weight:.0f} were spam"
    if standing.badness > 0.6:
        return [Found(spam, detail, sure * (2 * standing.badness - 1))]
    if standing.badness < 0.3 and not what.startswith(_CLAIMED):
        return [Found(ham, detail, sure * (1 - 2 * standing.badness))]
    return []


def _bodies(standings: list[Standing]) -> list[Found]:
    """The bands of one text: two have to say the same."""
    for name, share in (("FUZZY_SPAM", _badness), ("FUZZY_HAM", _goodness)):
        said = sorted((share(one) for one in standings if one.weight >= _BODY_ENOUGH), reverse=True)
        if len(said) >= AGREE and said[AGREE - 1] > 0.6:
            return [Found(name, "", 2 * said[AGREE - 1] - 1)]
    return []


def _badness(standing: Standing) -> float:
    return standing.badness


def _goodness(standing: Standing) -> float:
    return 1.0 - standing.badness


def lesson(score: float, junk_at: float, refuse_at: float) -> tuple[float, float]:
    """(good, bad) that a message counts by its score without what standings added to it: clear
    cases alone, so that a doubtful one does not grow by itself.
    """
    if 0 < refuse_at <= score:
        return 0.0, 1.0
    if 0 < junk_at <= score:
        return 0.0, 0.5
    return (0.5, 0.0) if score <= 1.0 else (0.0, 0.0)
