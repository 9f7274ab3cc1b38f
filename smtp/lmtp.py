"""LMTP (RFC 2033): local recipients only, one answer for each of them."""

from filters.context import Kind
from smtp.session import Session


class LmtpSession(Session):
    """Mail from a trusted front server; LHLO greets."""

    kind = Kind.LMTP
    is_lmtp = True

    def answers_wanted(self) -> int:
        return len(self.context.recipients)
