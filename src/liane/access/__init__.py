"""Who may do what with whose record, and what trace does each act leave?

One decision function (`decision`), one gate that feeds it from the database (`gate`), one journal
(`journal`), one door for writes (`writes`). Nothing is readable by default.
"""
