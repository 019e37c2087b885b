"""A run -> a folder that recognizes speech by itself."""
