"""Who is at the door? Accounts, passwords, sign-in and tokens, spoken to only through OIDC.

A Django application (allauth, django-oauth-toolkit) mounted under `/id`. The rest of the house
never reads its tables and never imports Django; a hospital may put another OpenID provider in
its place. `settings.IdentitySettings` says what it needs, `mount.application` serves it,
`commands` are what operators do.
"""

from liane.identity.mount import application
from liane.identity.settings import IdentitySettings

__all__ = ["IdentitySettings", "application"]
