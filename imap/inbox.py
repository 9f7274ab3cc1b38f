"""What a connection receives: octets, inflated where COMPRESS is in use, become events.

Invariant: of what came compressed one step is inflated at a time, and only when the framer has no
event left, so that every limit counts inflated octets and nothing piles up.
"""

from imap.compression import Compression
from imap.grammar.frame import Event
from imap.grammar.framer import Framer


class Inbox:
    """The receiving half of a connection."""

    __slots__ = ("compression", "framer")

    def __init__(self) -> None:
        self.framer = Framer()
        self.compression: Compression | None = None

    def receive(self, data: bytes) -> None:
        """Takes octets in as they came."""
        if self.compression is None:
            self.framer.receive(data)
        else:
            self.compression.receive(data)

    @property
    def pending(self) -> bool:
        """Whether more events may come out of what was received."""
        return self.compression is not None and self.compression.pending

    def next_event(self) -> Event | None:
        """The next event; None when there is none, or not yet (`pending`). Raises BadDeflate."""
        event = self.framer.next_event()
        if event is None and self.compression is not None and self.compression.pending:
            self.framer.receive(self.compression.read())
            event = self.framer.next_event()
        return event

    def compress(self, compression: Compression) -> None:
        """What comes is compressed from here on, also what came in behind the command."""
        self.compression = compression
        rest = self.framer.take_buffer()
        if rest:
            compression.receive(rest)
