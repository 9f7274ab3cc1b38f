"""What is told of databases of others that cannot be asked; what they answer is tested in
tests/system.
"""

import pytest

from storage.account_query import AccountQuery, QueryFailed


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("u:secret@127.0.0.1:1/x", id="nobody there"),
        pytest.param("u:secret@127.0.0.1:1/x?strange=1", id="an unknown option"),
        pytest.param("u:secret@127.0.0.1:port/x", id="a port that is none"),
        pytest.param("u:secret@[::1/x", id="half an address"),
    ],
)
async def test_a_database_that_cannot_be_asked_is_away(address: str) -> None:
    query = AccountQuery(f"postgresql://{address}", 5.0)
    with pytest.raises(QueryFailed) as failed:
        await query.rows("SELECT :address AS address", {"address": "ada@example.test"})
    assert failed.value.away
    assert "secret" not in str(failed.value)
    await query.close()
