"""What EHLO and LHLO announce, from one table: keyword and when it is true (RFC 5321 §4.1.1.1)."""

from dataclasses import dataclass

from smtp.grammar.reply import Reply, reply

ALWAYS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING", "DSN")


@dataclass(frozen=True, slots=True)
class Offer:
    """What a connection may use. `size` in octets; `mechanisms` empty when AUTH is not offered."""

    hostname: str
    size: int
    starttls: bool = False
    mechanisms: tuple[str, ...] = ()


def ehlo_reply(offer: Offer) -> Reply:
    """The 250 reply of EHLO and LHLO, the greeting line first."""
    words = [f"SIZE {offer.size}", *ALWAYS]
    if offer.starttls:
        words.append("STARTTLS")
    if offer.mechanisms:
        words.append("AUTH " + " ".join(offer.mechanisms))
    return reply(250, "", offer.hostname, *words)
