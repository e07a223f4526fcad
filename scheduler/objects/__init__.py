"""Where bytes lie: one small port, and local disk, S3 and GCS behind it.

Owns how an object is stored whole or not at all, read, signed for and swept. Knows nothing of jobs, frames or attempts:
keys come from above. A cloud's own library is imported by its module alone, and only when a URL asks for it.
"""
