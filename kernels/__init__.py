"""Pixels as pure array functions compiled by Numba: producers and reducers, and nothing else of the project."""
