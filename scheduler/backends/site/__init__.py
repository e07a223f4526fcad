"""Another Outfield farm as a backend: it makes no workers appear here, but takes jobs whole, by its public REST API."""
