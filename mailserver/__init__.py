"""The program: wiring, processes and the command line."""
