"""The history: an append-only timeline of everything that happened around one terminal."""
