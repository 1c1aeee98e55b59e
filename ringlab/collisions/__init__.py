"""``ringlab collisions``: thousands of draws of a hash, in processes; their table and their histogram."""
