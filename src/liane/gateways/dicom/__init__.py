"""How do scanners and other imaging machines hand their pictures to the hospital?

They speak DICOM over TCP (PS3.7, PS3.8). This gateway is the receiving side: it answers C-ECHO and
C-STORE, keeps every object bit for bit as it came, and says Success only when it is durable.
`serve` runs the port; `file_object` files one DICOM file from elsewhere (import, STOW-RS).
"""

from liane.gateways.dicom.filing import Arrival, Desk, Source, file_object
from liane.gateways.dicom.service import serve

__all__ = ["Arrival", "Desk", "Source", "file_object", "serve"]
