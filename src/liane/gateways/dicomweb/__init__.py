"""How do viewers and other archives find, read and hand in images over HTTP (PS3.18)?

QIDO-RS, WADO-RS and STOW-RS under `/dicomweb`, with a bearer token, through the same gate and the
same journal as every page.
"""

from liane.gateways.dicomweb.service import dicomweb_router

__all__ = ["dicomweb_router"]
