"""The Natural Scenes Dataset, read from a folder in its own layout."""
