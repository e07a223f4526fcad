# SPDX-License-Identifier: Apache-2.0
"""What every add-on shares: payloads, HTTP, the offline spool, frame ranges, preflight, the list of jobs, texts.

Standard library only, Python 3.7 to 3.13, and nothing of any artist's program: an add-on gathers facts on its main
thread, hands them over, and draws what comes back. Imports inside the package are relative, because each add-on
carries its own copy under a name of its own.
"""

__version__ = "0.1.0"
