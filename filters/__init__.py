"""Decisions about a message, and its delivery."""
