"""Which facts of the record do the segments of a message stand for?"""
