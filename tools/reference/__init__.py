"""Writes the pages of the documentation that follow from the code, and says when they no longer do.

Each module renders one page to Markdown from what it imports; `__main__` writes the pages or compares them.
"""
