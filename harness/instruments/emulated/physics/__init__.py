"""What instruments do, as pure code: a clock in seconds is given from outside, ``advance(now)`` catches up with it.

The same commands at the same times give the same states, however often it is advanced in between.
"""
