"""The two tokens: a short one for the body, a long one for an HttpOnly cookie. Neither is stored, neither rotates."""

from datetime import datetime, timedelta, timezone

import jwt
from django.conf import settings

ALGORITHM = "HS256"


def access_token(user):
    # Long enough for a benchmark.
    return _token(user, timedelta(hours=2), settings.SECRET_KEY)


def refresh_token(user):
    return _token(user, timedelta(days=7), settings.REFRESH_TOKEN_SECRET)


def _token(user, lifetime, secret):
    now = datetime.now(timezone.utc)
    return jwt.encode({"user_id": user.pk, "iat": now, "exp": now + lifetime}, secret, algorithm=ALGORITHM)
