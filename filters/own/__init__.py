"""Filters that an administrator writes: their interface, processes and folder."""
