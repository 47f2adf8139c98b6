"""What does FHIR R4 say, as pure code that any other part can ask? (No input, no output.)"""
