"""Use cases: load, decide, save; each a few lines around a pure decision of `scheduler.domain` or `scheduler.routing`.

`live` is what the running scheduler knows in memory (workers, leases, the plan); `ledger` collects what one
transaction did and is applied to `live` after the commit. `leasing`, `publishing`, `submitting`, `controlling`,
`registering`, `explaining` are the use cases; `keeping` is retention.
"""
