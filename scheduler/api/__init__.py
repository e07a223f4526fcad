"""The REST face of the scheduler: what the contract says about HTTP, and nothing about rendering.

`app` puts it together; `edge` guards it (hosts, origins, sizes, rates); `permissions` says who may call what; `errors`
maps the error tree to status codes; `sync` is the hot road. The other modules hold the routes, a few lines each around
a use case of `scheduler.service`.
"""
