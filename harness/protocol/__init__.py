"""The wire in pure functions: frames, fields, codes, keys. No I/O."""
