"""What commands and the control socket do: one function an operation, plain values in and out."""
