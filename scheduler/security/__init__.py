"""Who may be trusted with what: the farm's own certificate authority, and the sealing of content that leaves home."""
