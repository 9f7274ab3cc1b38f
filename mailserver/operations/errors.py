"""The one error of operations: what the operator is told, on one line."""

from storage.errors import StoreError


class OperationError(Exception):
    """It could not be done; `str(error)` says why and, where it can, what to do (exit status 1)."""


class Forbidden(OperationError):
    """Who asks may not do this."""


class Missing(OperationError):
    """There is no such thing."""


def in_one_line(error: StoreError | OSError) -> str:
    """What kept a store from being opened; of a system's error the file and the reason."""
    cause = error.__cause__ if isinstance(error, StoreError) else error
    if isinstance(cause, PermissionError) and cause.filename:
        return f"{cause.filename}: {cause.strerror}; do it as the user whose files these are"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}; see data_dir in the configuration"
    return str(error)
