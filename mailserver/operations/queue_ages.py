"""The columns of `queue shape`, apart from what counts them, so that printing imports no server."""

MINUTES = (5, 10, 20, 40, 80, 160, 320, 640, 1280)
"""Upper bounds of a recipient's age; the last column is for what is older."""
