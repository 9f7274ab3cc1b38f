"""Photos that are set at the same time: one is left, and nothing refers to the others."""

import asyncio
import struct
from collections.abc import AsyncIterator
from pathlib import Path

from auth.grant import Grant
from auth.login_values import Login
from filters.profiles.local import LocalProfileService
from storage.blob_values import Blob, Kind
from storage.new_account import make_account
from tests.support.services import open_test_services


class Scanner:
    """Finds nothing."""

    async def judged(self, blob: Blob) -> Blob:
        return blob

    def may_leave(self, blob: Blob) -> bool:
        return True


async def photo(width: int) -> AsyncIterator[bytes]:
    """The beginning of a PNG."""
    yield (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, 2) + b"\x08\x02\0\0\0" * 20
    )


async def test_photos_set_at_once_leave_one(tmp_path: Path) -> None:
    async with open_test_services(tmp_path) as services:
        made = await make_account(services.directory, services.store, "ada@example.test", "")
        login = Login(made.id, "ada@example.test", admin=False, grant=Grant())
        service = LocalProfileService(
            *(services.directory, services.blobs, Scanner(), None),  # type: ignore[arg-type]
            services.clock,
        )
        await asyncio.gather(*(service.set_photo(login, photo(1 + n % 5)) for n in range(20)))
        usage = await services.blobs.usage(made.id, Kind.PROFILE)
        assert usage.blobs == 1
        found, pieces = await service.photo(login)
        assert sum([len(piece) async for piece in pieces]) == found.size
