"""Truth on disk: tables, the single writer, the queries that decide, migrations and content-addressed blobs.

Nothing here decides; it loads snapshots and applies what the domain decided.
"""
