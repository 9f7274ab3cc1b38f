"""Time limits of messages (RFC 2852 §4): until when they are tried, what a peer is told of them,
and of what the sender hears. Pure; times are Unix seconds.
"""

import math

from message.dsn import Action
from smtp.outbound.notice import wanted
from smtp.outbound.results import Outcome
from storage.queue_values import Claim, ClaimedRecipient
from storage.values import DeliverBy

_MOST = 999_999_999


def end_of_life(claim: Claim, life: float) -> float:
    """When the last attempt is made: mode R ends a message earlier."""
    end = claim.begun + life
    by = claim.deliver_by
    return min(end, by.at) if by is not None and by.mode == "R" else end


def expired_status(claim: Claim) -> str:
    """The status of a message that is given up at that time (RFC 3463 X.4.7)."""
    by = claim.deliver_by
    return "5.4.7" if by is not None and by.mode == "R" else "4.4.7"


def late_at(claim: Claim, notice_after: float) -> float:
    """When the sender is told of a delay: with mode N at the time asked, and at no other."""
    by = claim.deliver_by
    return by.at if by is not None and by.mode == "N" else claim.begun + notice_after


def next_look(claim: Claim, now: float, again: float) -> float:
    """The next attempt, not later than the notice that mode N promises."""
    by = claim.deliver_by
    return min(again, by.at) if by is not None and by.mode == "N" and by.at > now else again


def hears_of_delay(claim: Claim, recipient: ClaimedRecipient) -> bool:
    """Mode N asks for the notice, whatever NOTIFY names but NEVER."""
    notify = recipient.notify
    if claim.deliver_by is not None and claim.deliver_by.mode == "N" and notify != "NEVER":
        notify = "DELAY"
    return wanted(Action.DELAYED, notify, claim.sender)


def hears_of_relay(claim: Claim, recipient: ClaimedRecipient, outcome: Outcome) -> bool:
    """By NOTIFY=SUCCESS where the peer reports none; by trace; and in mode N where the peer did not
    take the time limit with the message.
    """
    by = claim.deliver_by
    traced = by is not None and (by.trace or (by.mode == "N" and not outcome.timed))
    if traced and outcome.remote and recipient.notify != "NEVER":
        return wanted(Action.RELAYED, "SUCCESS", claim.sender)
    return outcome.relayed and wanted(Action.RELAYED, recipient.notify, claim.sender)


def refusal(by: DeliverBy | None, now: float, offered: str | None) -> str:
    """Why a message is not given to a peer that announced DELIVERBY with `offered` (None: did not),
    "" if it may go. In mode R a limit that nobody keeps is no delivery.
    """
    if by is None or by.mode != "R":
        return ""
    if offered is None:
        return "the message has a time limit, the server knows of none (no DELIVERBY)"
    left, least = by.at - now, int(offered) if offered.isdecimal() else 0
    if left <= 0:
        return "the time limit of the message has passed"
    return f"the message has {left:.0f} s left, the server wants {least}" if left < least else ""


def parameter(by: DeliverBy, now: float) -> str:
    """BY= with the time that is left."""
    left = max(-_MOST, min(math.floor(by.at - now), _MOST))
    seconds = max(left, 1) if by.mode == "R" else left
    return f"BY={seconds};{by.mode}{'T' if by.trace else ''}"
