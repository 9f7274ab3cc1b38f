"""A port that answers nothing, as behind a firewall that drops packets."""

import contextlib
import socket
from collections.abc import Iterator


@contextlib.contextmanager
def silent(host: str, port: int) -> Iterator[None]:
    """A port on which connecting neither succeeds nor fails: its queue is full."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(3):
            filler = stack.enter_context(socket.socket(family))
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                filler.connect((host, port))
        yield
