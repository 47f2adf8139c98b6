"""Where do the addresses of the patients room gather?"""

from liane.ui.routing import Routes

routes = Routes("patients")
