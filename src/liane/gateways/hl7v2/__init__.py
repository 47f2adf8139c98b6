"""How do the hospital's own systems speak HL7 v2 with the record?"""
