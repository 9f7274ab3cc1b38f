"""The rules of the spam filter: pure functions from a message and how it came to what was found."""
