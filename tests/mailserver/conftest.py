"""What several tests of the whole program stand on."""

from collections.abc import AsyncIterator

import pytest

from tests.support.smtp_sink import Sink, smtp_sink


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """The host that the server sends to, where a test names it as smarthost."""
    async with smtp_sink(Sink()) as running:
        yield running
