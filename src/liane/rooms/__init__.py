"""Which rooms does the hospital have? Each is a package of its own."""
