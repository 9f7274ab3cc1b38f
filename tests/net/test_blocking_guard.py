"""The guard of tests/conftest.py sees a blocking call that no test made itself."""

import asyncio
from functools import partial
from pathlib import Path

from blockbuster import BlockingError

from storage.folder_file import FolderFile, read_folder, update_folder
from storage.values import MailboxId


async def test_a_blocking_call_in_the_loop_is_found(tmp_path: Path) -> None:
    await asyncio.to_thread(update_folder, tmp_path, lambda _old: FolderFile(MailboxId(1), 7))
    loop = asyncio.get_running_loop()
    found: list[object] = []
    loop.set_exception_handler(lambda _loop, context: found.append(context["exception"]))
    loop.call_soon(partial(read_folder, tmp_path))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [type(error) for error in found] == [BlockingError]
    assert await asyncio.to_thread(read_folder, tmp_path) == FolderFile(MailboxId(1), 7)
