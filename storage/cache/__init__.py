"""The global cache: what processes of one installation share and can do without."""
