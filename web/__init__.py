"""HTTP: the gateway's listeners and what they serve."""
