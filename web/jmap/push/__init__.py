"""What tells clients of changes, over HTTP."""
