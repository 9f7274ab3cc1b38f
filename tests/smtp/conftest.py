"""The receiving side runs on uvloop, the server's loop; its engine on the standard loop as well."""

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, LoopFactory]:
    if "outbound" in item.path.parts:
        return {"asyncio": asyncio.new_event_loop}
    if item.path.name == "test_engine.py":
        return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
    return {"uvloop": uvloop.new_event_loop}
