"""What a job is, how its states may change, who goes first, what is retried, what has expired.

Pure: no clock, no I/O, no SQL, no pydantic, no randomness. Functions take a snapshot and `now`, and return
decisions as data; `scheduler.service` applies them.
"""
