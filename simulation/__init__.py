"""The same runs as numbers: demands and paths in, times and bytes per link out."""
