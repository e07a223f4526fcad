# SPDX-License-Identifier: Apache-2.0
"""The panel for programs that bring Qt (PySide 2 or 6): drawn of what `outfield_core` knows and a `Desk` tells.

Python 3.7 to 3.13. Imports of the core are relative to the add-on that carries both.
"""
