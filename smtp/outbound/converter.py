"""Mail in seven bits for a server without 8BITMIME, and signed anew where it is our users' own:
their signatures are ours, and the new form breaks them.
"""

from dataclasses import replace
from hashlib import blake2b

from filters.context import Message
from filters.signing.signer import Signer
from message.headers import header_block, without_blank_line
from message.rewrite import named, without
from net.threads import Offload, Pool
from smtp.outbound.outgoing import Outgoing, in_seven_bits
from storage.values import Content

_SIGNATURE = named((b"dkim-signature",))


class Converter:
    """One for all sessions."""

    def __init__(self, offload: Offload, signer: Signer | None) -> None:
        self._offload, self._signer = offload, signer

    async def seven_bit(self, message: Outgoing) -> Outgoing | None:
        """None where it can't be converted. Raises StoreError, Busy, OSError."""
        made = await self._offload.run(Pool.MIME, in_seven_bits, message)
        if made is None or not message.own or self._signer is None:
            return made
        data = made.data or b""
        block = header_block(data)
        header = without(without_blank_line(block), _SIGNATURE)
        data = header + data[len(without_blank_line(block)) :]
        content = Content(len(data), blake2b(data, digest_size=16).digest(), data=data)
        fields = await self._signer.sign(b"", Message(content, header), message.sender)
        signed = fields + data
        return replace(made, data=signed, size=len(signed)) if fields else made
