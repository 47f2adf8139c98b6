"""Liane: one open hospital platform, one record, one gate, one journal."""
