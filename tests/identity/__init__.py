"""Is the identity application a safe door?"""
