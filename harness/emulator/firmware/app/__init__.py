"""The payment application of the terminal. It knows its hardware through ``board`` and nothing else of this project."""
