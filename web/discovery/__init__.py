"""What mail programs ask to set themselves up, and security.txt."""
