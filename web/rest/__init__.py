"""The REST interface below /api/v1/: endpoints, and what they have in common."""
