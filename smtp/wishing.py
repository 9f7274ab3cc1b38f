"""Envelopes of messages that are sent by HTTP: the addresses and parameters of MAIL and RCPT, taken
as submission by SMTP takes them.
"""

from collections.abc import Callable

from config.clock import Clock
from config.settings import Settings
from filters.mailing.values import BadWish, Parameters, To, Wish
from message.xtext import encode_utf8_address, encode_xtext
from smtp.grammar.mail import Body, Mail, parse_mail
from smtp.grammar.rcpt import Rcpt, parse_rcpt
from smtp.grammar.reply import Reply
from smtp.submission import HIGHEST_OF_USERS
from storage.values import DeliverBy


class EnvelopeReader:
    """Is filters.mailing.values.Grammar. `settings` gives those in force."""

    def __init__(self, settings: Callable[[], Settings], clock: Clock) -> None:
        self._settings, self._clock = settings, clock

    def sender(self, address: str, parameters: Parameters, *, admin: bool) -> Wish:
        given = {key.upper(): value for key, value in parameters.items()}
        if not address.isascii():
            given["SMTPUTF8"] = None
        mail = parse_mail(f"FROM:<{_path(address)}>{_words(given)}")
        if isinstance(mail, Reply):
            raise BadWish(mail.text)
        if mail.body is Body.BINARY:
            raise BadWish("BODY=BINARYMIME is not for mail that is sent by HTTP")
        hold_until = self._hold_until(mail)
        begun = max(self._clock.now(), hold_until or 0.0)
        by = mail.by
        return Wish(
            mail.sender.text,
            ret=mail.ret,
            envid=mail.envid,
            require_tls=mail.require_tls,
            hold_until=hold_until,
            deliver_by=None if by is None else DeliverBy(begun + by.seconds, by.mode, by.trace),
            priority=(mail.priority or 0) if admin else min(mail.priority or 0, HIGHEST_OF_USERS),
        )

    def recipient(self, address: str, parameters: Parameters) -> To:
        rcpt = parse_rcpt(f"TO:<{_path(address)}>{_words(parameters)}")
        if isinstance(rcpt, Rcpt):
            return To(rcpt.recipient.text, rcpt.notify, rcpt.orcpt)
        raise BadWish(rcpt.text)

    def _hold_until(self, mail: Mail) -> float | None:
        """None for a time that has passed. Raises BadWish for one that is too far away."""
        now = self._clock.now()
        at = now + mail.hold_for if mail.hold_for is not None else mail.hold_until
        if at is not None and at > now + int(self._settings().smtp.hold_at_most):
            raise BadWish("it may not be held for so long")
        return float(at) if at is not None and at > now else None


def _path(address: str) -> str:
    if any(char in address for char in "<>\r\n\0"):
        raise BadWish("no address")
    return address


def _words(parameters: Parameters) -> str:
    """Behind the path, xtext put back. Raises BadWish."""
    words = []
    for key, value in parameters.items():
        name = key.upper()
        if value is None:
            words.append(name)
            continue
        if name in ("ENVID", "AUTH"):
            value = encode_xtext(value) if value.isascii() else value
        elif name == "ORCPT":
            value = _orcpt(value)
        words.append(f"{name}={value}")
    if any(not word or not word.isprintable() or " " in word for word in words):
        raise BadWish("a parameter has characters that it cannot have")
    return "".join(f" {word}" for word in words)


def _orcpt(value: str) -> str:
    kind, _, address = value.partition(";")
    if kind.lower() == "utf-8":
        return f"{kind};{encode_utf8_address(address, ascii_only=False)}"
    return f"{kind};{encode_xtext(address)}"
