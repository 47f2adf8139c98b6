"""What can the IT department see of the interfaces, and what can it do there?"""

from __future__ import annotations

from liane.ui.routing import Routes

routes = Routes("interfaces")
