"""Looks at pixel files: is this a whole PNG, JPEG or EXR, what is in it, and what does it look like small?

Pixels are decoded only in child processes under resource limits, never in the scheduler: image decoders are the part
of the farm that reads what strangers wrote (OpenEXR alone had 49 CVE ids in 2023-26). `pool` is the door for the
scheduler's event loop, `facts` its words, `process` what it knows of a child; `child` is the other side, and everything
else runs there. What a verdict is worth - whether a frame is published, retried or flagged - is decided elsewhere.
"""
