"""Which pure rules decide who a patient is and where the patient has been?"""
