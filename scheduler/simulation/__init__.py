"""The farm on a virtual clock: the same ranking and routing replayed over a recorded or generated trace."""
