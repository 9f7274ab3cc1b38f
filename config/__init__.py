"""Settings, loading, logging and the clock."""
