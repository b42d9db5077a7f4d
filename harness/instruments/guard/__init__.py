"""The guard: one process a bench that owns its instruments.

It alone talks to them, so no test passes their limits; it samples them in the background; and it brings them to their
safe state when it is asked to, when a test hangs, and when the worker dies, however it dies. It is started before an
instrument is opened and does not die with its worker. docs/instruments.md.
"""
