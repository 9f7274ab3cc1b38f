"""What happens to a message before it waits for the committer: assembled if spooled, rendered.

Simple messages are rendered in the loop (less than the way into a thread and back), others in a
thread or a worker process; spooled ones become complete, flushed files first, so that their size
delays nobody's commit.
"""

import contextlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from net.threads import Offload
from storage.clocked_ids import IdClock
from storage.disk import store_error
from storage.files import assemble
from storage.jobs_append import Item
from storage.jobs_deliver import DeliverJob
from storage.queue_file import envelope_of, head
from storage.rendering import Prepared, is_quick, render_bytes, render_path
from storage.values import Append, Content, Delivery, QueueId


class Incoming:
    """Prepares jobs in the loop."""

    def __init__(self, offload: Offload, spool: Path, apart: Path | None, ids: IdClock) -> None:
        """`apart` is the queue's spool where it has one of its own (recovery.Layout)."""
        self._offload, self._ids = offload, ids
        self._spool, self._queue_spool = spool, apart or spool

    async def delivery(self, delivery: Delivery) -> DeliverJob:
        """The job of a delivery. Raises StoreFull, StoreUnavailable."""
        content = delivery.content
        queued = bool(delivery.queued)
        envelope = envelope_of(delivery, QueueId(self._ids.next())) if queued else None
        if content.path is None:
            item = await self._render(content, delivery.local_prefix) if delivery.local else None
            return DeliverJob(delivery, item, envelope=envelope)
        wanted = []
        queue_path = local_path = None
        if envelope is not None:
            queue_path = self._name(self._queue_spool)
            wanted.append((head(envelope, content.size), queue_path))
        if delivery.local:
            local_path = self.name()
            wanted.append((delivery.local_prefix, local_path))
        item = await self._assembled(content, wanted, local_path)
        return DeliverJob(
            delivery, item, envelope=envelope, local_path=local_path, queue_path=queue_path
        )

    async def items(self, messages: Sequence[Append]) -> list[Item]:
        """The messages of an APPEND, in order. Raises StoreFull, StoreUnavailable."""
        items: list[Item] = []
        try:
            for message in messages:
                content = message.content
                if content.path is None:
                    items.append(Item(message, await self._render(content)))
                    continue
                name = self.name()
                prepared = await self._assembled(content, [(b"", name)], name)
                assert prepared is not None
                items.append(Item(message, prepared, name))
        except BaseException:
            await self.drop([item.path for item in items])
            raise
        return items

    async def drop(self, paths: Iterable[str | None]) -> None:
        """Removes what was assembled for a job that failed."""
        made = [path for path in paths if path is not None]
        if made:
            await self._offload.disk(_remove, made)

    def name(self) -> str:
        """A free name in the spool for a complete message."""
        return self._name(self._spool)

    def _name(self, spool: Path) -> str:
        return f"{spool}/{self._ids.next()}.whole"

    async def _render(self, content: Content, first: bytes = b"") -> Prepared:
        data = content.data or b""
        if first or content.prefix:
            data = first + content.prefix + data
        if is_quick(data):
            return render_bytes(data)
        return await self._offload.process(render_bytes, data)

    async def _assembled(
        self, content: Content, wanted: list[tuple[bytes, str]], render: str | None
    ) -> Prepared | None:
        try:
            try:
                await self._offload.disk(assemble, content, wanted)
            except OSError as error:
                raise store_error(error) from error
            if render is None:
                return None
            return await self._offload.process_path(render_path, render)
        except BaseException:
            await self.drop([name for _, name in wanted])
            raise


def _remove(paths: Sequence[str]) -> None:
    for path in paths:
        with contextlib.suppress(OSError):
            Path(path).unlink()
