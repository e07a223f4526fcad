"""What runs inside Blender: standard library and bpy alone, Python 3.10 to 3.13.

`start.py` is handed to Blender (or to a Python that has bpy) and serves commands from stdin until it closes. Nothing
here knows of the farm: which frames, which settings, which failure class is decided on the worker's side.
"""
