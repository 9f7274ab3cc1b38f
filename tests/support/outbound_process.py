"""A process that only sends, for tests that kill it. Arguments: data folder, DNS and MX port."""

import asyncio
import sys
from pathlib import Path

from config.clock import SystemClock
from config.fields import Endpoint
from config.logging import get_logger
from filters.delivery import Delivery
from net.dns import Resolver
from net.threads import Offload
from smtp.outbound.runner import Outbound
from storage.directory import Directory
from storage.store import Store
from tests.support.directories import make_settings


async def send(folder: Path, dns_port: int, mx_port: int) -> None:
    """Sends what is queued until it is killed."""
    settings = make_settings(folder, outbound={"port": mx_port}, listen={"smtp": []})
    clock, offload, log = SystemClock(), Offload(processes=1), get_logger("outbound")
    data = settings.data_dir
    store = await Store.open(data, data / "mail", "sqlite", offload, clock, settings.hostname)
    directory = await Directory.open(settings, clock, offload)
    outbound = Outbound(
        settings,
        store,
        Resolver([Endpoint(host="127.0.0.1", port=dns_port)]),
        Delivery(settings, directory, store, clock, log),
        clock,
        offload,
        log,
    )
    await outbound.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(send(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
