"""The EmailService in this process."""

from collections.abc import Collection, Sequence

from auth.login_values import Login
from config.clock import Clock
from filters.cancelling import cancel
from filters.mailing.email_service import Letter, NotPermitted, Posted, Viewed
from filters.mailing.handling import Handling
from filters.mailing.keywords import words_of
from filters.mailing.posting import Posting
from filters.mailing.values import Origin
from message.readable import readable
from net.threads import Offload
from storage.emails import StoredEmail
from storage.object_ids import email_number, mailbox_number, thread_number
from storage.rendering import is_quick
from storage.store import Store
from storage.values import AccountId, QueueId

_PIECE = 1024 * 1024


class LocalEmailService:
    """Is filters.mailing.email_service.EmailService."""

    def __init__(
        self, store: Store, posting: Posting, handling: Handling, clock: Clock, offload: Offload
    ) -> None:
        self._store, self._posting, self._handling = store, posting, handling
        self._clock, self._offload = clock, offload

    async def send(self, login: Login, origin: Origin, letter: Letter) -> Posted:
        return await self._posting.send(login, origin, letter)

    async def cancel(self, login: Login, id_: QueueId) -> None:
        if not login.grant.writes:
            raise NotPermitted("This login only writes drafts")
        await cancel(self._store.queue, self._clock, id_, login.account)

    async def view(self, login: Login, id_: str) -> Viewed:
        boxes = await self._handling.boxes(login)
        (email,) = await self._handling.emails(login, [id_], boxes)
        data = await self._octets(login.account, email)
        found = readable(data) if is_quick(data) else await self._offload.process(readable, data)
        numbers = {box: mailbox_number(login.account, box) for box, _ in email.places}
        return Viewed(
            email_number(email.blob),
            thread_number(email.thread or 0),
            tuple(numbers.values()),
            words_of(email.flags),
            email.size,
            email.received,
            found,
        )

    async def thread(self, login: Login, id_: str) -> list[str]:
        return [email_number(one.blob) for one in await self._handling.thread(login, id_)]

    async def tag(
        self, login: Login, ids: Sequence[str], add: Collection[str], take: Collection[str]
    ) -> None:
        await self._handling.tag(login, ids, add, take)

    async def move(self, login: Login, ids: Sequence[str], mailbox: str) -> None:
        await self._handling.move(login, ids, mailbox)

    async def delete(self, login: Login, ids: Sequence[str], *, for_good: bool = False) -> None:
        await self._handling.delete(login, ids, for_good=for_good)

    async def _octets(self, account: AccountId, email: StoredEmail) -> bytes:
        box, uid = email.places[0]
        data = bytearray()
        while len(data) < email.size:
            piece = await self._store.read_body(
                account, email.blob, box, uid, len(data), min(_PIECE, email.size - len(data))
            )
            if not piece:
                break
            data += piece
        return bytes(data)
