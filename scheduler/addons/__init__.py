"""The add-ons for artists' programs: built from their sources, handed out by the farm itself."""
