"""The command `mailserver`: argument parsing and printing only."""
