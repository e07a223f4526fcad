"""A worker on a machine that may be taken away: notices of its provider, and the end of its life."""
