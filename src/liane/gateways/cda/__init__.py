"""How are clinical documents in CDA (R2) understood, and shown without running what is in them?"""

from liane.gateways.cda.codec import ClinicalDocument, looks_like_cda, parse
from liane.gateways.cda.render import to_html

__all__ = ["ClinicalDocument", "looks_like_cda", "parse", "to_html"]
