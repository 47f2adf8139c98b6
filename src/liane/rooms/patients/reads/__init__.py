"""What may be asked about identities, beds and stays?"""
