"""Who calls: the bearer of an access token. Unsafe methods also need Django's CSRF token."""

import jwt
from django.conf import settings
from django.contrib.auth import get_user_model
from django.middleware.csrf import CsrfViewMiddleware
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied

from .tokens import ALGORITHM


class CsrfCheck(CsrfViewMiddleware):
    """Django's check, that says why instead of answering."""

    def _reject(self, request, reason):
        return reason


class AccessToken(BaseAuthentication):
    def authenticate(self, request):
        words = get_authorization_header(request).split()
        if not words:
            return None
        if len(words) != 2 or words[0].lower() not in (b"bearer", b"token"):
            raise AuthenticationFailed("Token prefix missing")
        try:
            claims = jwt.decode(words[1], settings.SECRET_KEY, algorithms=[ALGORITHM])
        except jwt.ExpiredSignatureError:
            raise AuthenticationFailed("access_token expired")
        except jwt.InvalidTokenError:
            raise AuthenticationFailed("access_token invalid")
        user = get_user_model().objects.filter(pk=claims["user_id"]).first()
        if user is None:
            raise AuthenticationFailed("user not found")
        if not user.is_active:
            raise AuthenticationFailed("user is inactive")
        self.enforce_csrf(request)
        return user, None

    def authenticate_header(self, request):
        return "Bearer"

    @staticmethod
    def enforce_csrf(request):
        check = CsrfCheck(lambda request: None)
        check.process_request(request)
        if reason := check.process_view(request, None, (), {}):
            raise PermissionDenied(f"CSRF failed: {reason}")
