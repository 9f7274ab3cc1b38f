"""`mailserver queue bounce`: gives a message up before its time."""

from collections.abc import Mapping
from random import Random
from typing import Any

from config.logging import get_logger
from filters.delivery import Delivery
from filters.record import Recorder
from mailserver.operations.errors import OperationError
from mailserver.operations.queue import find_entry
from mailserver.services import Services
from smtp.outbound.settle import Settler

Args = Mapping[str, Any]


async def queue_bounce(services: Services, args: Args) -> dict[str, int]:
    """Gives a message up and tells its sender. Args: id. {messages}."""
    queue = (await find_entry(services, args)).id
    claim = await services.store.queue.claim_message(queue)
    if claim is None:
        raise OperationError(f"message {queue} is being sent at this moment; try again")
    await _settler(services).bounce(claim)
    return {"messages": 1}


def _settler(services: Services) -> Settler:
    settings, clock, offload = services.settings, services.clock, services.offload
    log = get_logger("outbound")
    notices = Delivery(
        settings, services.directory, services.store, clock, log, signer=services.signer
    )
    recorder = Recorder(clock, services.explain)
    queue = services.store.queue
    finished = None if services.server is None else services.server.webhooks.handed_on
    return Settler(settings, queue, notices, clock, offload, Random(), log, recorder, finished)
