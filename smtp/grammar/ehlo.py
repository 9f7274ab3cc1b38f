"""What EHLO and LHLO announce, and what MAIL may ask for because of it (RFC 5321 §4.1.1.1).

One value says both, so that nothing is announced that is refused, or taken that is not announced.
"""

from dataclasses import dataclass

from smtp.grammar.mail import Body, Mail
from smtp.grammar.parameters import ParameterError, unknown
from smtp.grammar.reply import Reply, reply

ALWAYS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING", "DSN")
SUBMISSION = ("DELIVERBY", "MT-PRIORITY")


@dataclass(frozen=True, slots=True)
class Offer:
    """What a connection may use. `size` in octets; `mechanisms` empty when AUTH is not offered.

    `recipients` of one message (RFC 9422); `hold_for` seconds, and `hold_until` the time that they
    end at, are the longest that a message is held (RFC 4865), 0 where it is not offered.
    """

    hostname: str
    size: int
    starttls: bool = False
    mechanisms: tuple[str, ...] = ()
    recipients: int = 0
    require_tls: bool = False
    binary: bool = False
    submission: bool = False
    hold_for: int = 0
    hold_until: str = ""


def ehlo_reply(offer: Offer) -> Reply:
    """The 250 reply of EHLO and LHLO, the greeting line first."""
    words = [f"SIZE {offer.size}", *ALWAYS]
    if offer.recipients:
        words.append(f"LIMITS RCPTMAX={offer.recipients}")
    if offer.binary:
        words.append("BINARYMIME")
    if offer.require_tls:
        words.append("REQUIRETLS")
    if offer.submission:
        words += SUBMISSION
    if offer.hold_for:
        words.append(f"FUTURERELEASE {offer.hold_for} {offer.hold_until}")
    if offer.starttls:
        words.append("STARTTLS")
    if offer.mechanisms:
        words.append("AUTH " + " ".join(offer.mechanisms))
    return reply(250, "", offer.hostname, *words)


def refusal_of(mail: Mail, offer: Offer) -> Reply | None:
    """Why MAIL asks for too much here, or None. How long it may be held is not looked at."""
    if mail.require_tls and not offer.require_tls:
        return reply(530, "5.7.10", "REQUIRETLS is offered under TLS only")
    asked = {
        "BODY=BINARYMIME": mail.body is Body.BINARY and not offer.binary,
        "BY": mail.by is not None and not offer.submission,
        "MT-PRIORITY": mail.priority is not None and not offer.submission,
        "HOLDFOR": mail.hold_for is not None and not offer.hold_for,
        "HOLDUNTIL": mail.hold_until is not None and not offer.hold_for,
    }
    refused = [key for key, wrong in asked.items() if wrong]
    return _unknown(refused[0]).reply if refused else None


def _unknown(key: str) -> ParameterError:
    if key.startswith("BODY"):
        return ParameterError(501, "5.5.4", "BODY must be 7BIT or 8BITMIME")
    return unknown(key, "MAIL")
