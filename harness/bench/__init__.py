"""A bench: one terminal and everything around it, put together and taken apart."""
