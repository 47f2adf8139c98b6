"""Through which doors do machines reach the record? Each is a package of its own."""
