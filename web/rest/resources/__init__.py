"""The resources of REST: for each its shapes and its endpoints."""
