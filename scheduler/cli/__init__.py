"""The command line `outfield`: a face of the farm and of its REST API, without rules of its own.

`main` is the entry, `groups` finds verbs lazily, `verbs` gives each the options that all share and turns errors into
exit codes. `connection`, `client`, `outbox` and `output` are what client verbs are made of; `local_workers` is what
`up` and `demo` are made of. The other modules hold the verbs, one subject each. Client verbs import neither pydantic
nor SQL: `outfield jobs` must start in under 0.3 s.
"""
