"""Words on the wire: what clients, workers and the scheduler say to one another. No behaviour.

`submission` is what an artist sends (`POST /new_job`), `renderers` the settings that each renderer knows, `work` the
worker's hot road (`sync`), `views` what the REST API answers. It is the one package of the scheduler that the worker
may import.
"""

PROTOCOL_VERSION = 1
