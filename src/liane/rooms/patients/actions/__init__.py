"""What may be changed about identities, stays and beds? Every write of the room is here."""
