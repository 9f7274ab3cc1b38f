"""The mark of modules whose scenarios run on SQLite and on PostgreSQL."""

import pytest

both_databases = pytest.mark.parametrize(
    "database",
    ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)],
    indirect=True,
    scope="module",
)
