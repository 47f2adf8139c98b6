"""How are requests answered later? (R4 async, Bulk Data Access IG)

`requests` keeps them, `running` carries them out in the worker, `files` holds what comes out, and
`polling` tells the asker.
"""
