"""Tags that mail gets by itself, learned from what a user has tagged. Off by default."""
