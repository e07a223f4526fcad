"""Runners turn one leased task into files. `base` is the port; each other module or package is one renderer."""
