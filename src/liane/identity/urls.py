"""Which addresses does the identity application answer, below `/id`?

Only what is used: no sign-up, no client registration, no management pages.
"""

from __future__ import annotations

from allauth.account import views as account
from django.urls import include, path, re_path
from oauth2_provider import views as oauth

from liane.identity import views

app_patterns = [
    path("authorize/", oauth.AuthorizationView.as_view(), name="authorize"),
    path("token/", oauth.TokenView.as_view(), name="token"),
    path("revoke_token/", oauth.RevokeTokenView.as_view(), name="revoke-token"),
    path("introspect/", views.Introspect.as_view(), name="introspect"),
    re_path(
        r"^\.well-known/openid-configuration/?$",
        oauth.ConnectDiscoveryInfoView.as_view(),
        name="oidc-connect-discovery-info",
    ),
    path(".well-known/jwks.json", oauth.JwksInfoView.as_view(), name="jwks-info"),
    path("userinfo/", oauth.UserInfoView.as_view(), name="user-info"),
    path("logout/", oauth.RPInitiatedLogoutView.as_view(), name="rp-initiated-logout"),
]

urlpatterns = [
    path("o/", include((app_patterns, "oauth2_provider"), namespace="oauth2_provider")),
    path("accounts/login/", views.SignIn.as_view(), name="account_login"),
    path("accounts/logout/", account.logout, name="account_logout"),
    path("accounts/inactive/", views.inactive, name="account_inactive"),
    path("static/<str:name>", views.asset, name="asset"),
]
