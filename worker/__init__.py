"""Outfield's worker: an agent that leases tasks, has them rendered, and hands the files back."""
