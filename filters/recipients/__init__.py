"""What each account does with a message that reaches it, and what follows from that."""
