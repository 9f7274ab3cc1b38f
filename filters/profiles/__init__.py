"""Profiles of users: the name that is shown, and a photo."""
