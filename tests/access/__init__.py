"""Do the gate and the journal keep their promises?"""
