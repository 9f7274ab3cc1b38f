"""What one attempt means for one recipient: delivered, try again, or never (RFC 3463). Pure."""

import re
from dataclasses import dataclass
from enum import Enum

from smtp.outbound.peer_reply import PeerReply


class Kind(Enum):
    DELIVERED = "delivered"
    TEMPORARY = "temporary"
    PERMANENT = "permanent"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`status` is an enhanced code, `text` the peer's reply or our own words, `remote` the peer.

    `elsewhere`: another host of the destination may be asked at once, since this one had no
    message data yet. `relayed`: delivered to a peer that reports no deliveries (no DSN); `timed`:
    that took the message's time limit with it (DELIVERBY). `tls` is how the session was protected,
    "" where there was none to tell of. `nobody`: the peer said that the recipient does not exist.
    `source`: our own address, where a pool of them was used.
    """

    kind: Kind
    status: str
    text: str
    remote: str = ""
    elsewhere: bool = False
    relayed: bool = False
    timed: bool = False
    tls: str = ""
    nobody: bool = False
    source: str = ""

    @property
    def line(self) -> str:
        """Peer and reply on one line, for the queue's listing."""
        by = f" from {self.source}" if self.source else ""
        return f"{self.remote}{by}: {self.text}" if self.remote else self.text


_HEARD = re.compile(r"(?:(\S+)(?: from \S+)?: )?([45][0-9]{2}(?: .*)?)", re.DOTALL)


class AttemptFailed(Exception):
    """The attempt ended for every recipient that has no outcome of its own."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.line)
        self.outcome = outcome


def temporary(status: str, text: str, remote: str = "", *, elsewhere: bool = False) -> Outcome:
    return Outcome(Kind.TEMPORARY, status, text, remote, elsewhere)


def permanent(status: str, text: str, remote: str = "", *, nobody: bool = False) -> Outcome:
    return Outcome(Kind.PERMANENT, status, text, remote, nobody=nobody)


def given_up(last_reply: str, otherwise: str) -> Outcome:
    """Failure of a recipient that is tried no more: with the peer's last words from the queue's
    listing (Outcome.line) where there are some, else with our own. RFC 3463 X.4.7.
    """
    heard = _HEARD.fullmatch(last_reply)
    if heard is not None:
        return permanent("5.4.7", heard[2], heard[1] or "")
    return permanent("5.4.7" if last_reply else "5.0.0", last_reply or otherwise)


def of_reply(reply: PeerReply, remote: str, *, rcpt: bool = False) -> Outcome:
    """The outcome of a reply to MAIL, RCPT, DATA or the end of the data.

    552 to RCPT means "too many recipients" from old servers: later ones may be taken (RFC 5321
    §4.5.3.1.10). 421 closes the connection: another host may do. A 2yz or 3yz where it makes no
    sense is kept for later, as is everything else unknown.
    """
    text, status = reply.text, reply.status
    if reply.ok:
        return Outcome(Kind.DELIVERED, status or "2.0.0", text, remote)
    if reply.code == 421:
        return temporary(status or "4.3.2", text, remote, elsewhere=True)
    if rcpt and reply.code == 552:
        return temporary("4.5.3", text, remote)
    if reply.code >= 500:
        status = status or _DEFAULT.get(reply.code, "5.0.0")
        return permanent(status, text, remote, nobody=rcpt and status in _NOBODY)
    if reply.code >= 400:
        return temporary(status or _DEFAULT.get(reply.code, "4.0.0"), text, remote)
    return temporary("4.5.0", text, remote)


# RFC 3463 X.1.1: no such mailbox; RFC 7505: a domain with a null MX.
_NOBODY = ("5.1.1", "5.1.10")
_DEFAULT = {
    450: "4.2.0",
    451: "4.3.0",
    452: "4.3.1",
    455: "4.5.4",
    550: "5.1.1",
    551: "5.1.6",
    552: "5.2.2",
    553: "5.1.3",
    554: "5.0.0",
    555: "5.5.4",
    556: "5.1.10",
}
