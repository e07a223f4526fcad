"""What a scene is: which renderer it belongs to, whether it is what its ending says, and where its frames may go.

Reads the first bytes of scenes and the directories of archives, and writes nothing. It does not open scenes: that is
the renderer's business, on a worker.
"""
