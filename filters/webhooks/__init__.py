"""Webhooks: programs of users that are told what happens to their mail."""
