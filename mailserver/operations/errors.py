"""The one error of operations: what the operator is told, on one line."""


class OperationError(Exception):
    """It could not be done; `str(error)` says why and, where it can, what to do (exit status 1)."""
