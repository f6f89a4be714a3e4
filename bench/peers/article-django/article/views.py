"""Login, refresh and profile."""

import jwt
from django.conf import settings
from django.contrib.auth import authenticate, get_user_model
from django.views.decorators.csrf import csrf_protect, ensure_csrf_cookie
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from .tokens import ALGORITHM, access_token, refresh_token

COOKIE = "refreshtoken"


@ensure_csrf_cookie
@api_view(["POST"])
@authentication_classes([])
@permission_classes([AllowAny])
def login(request):
    user = authenticate(username=request.data.get("username"), password=request.data.get("password"))
    if user is None:
        raise AuthenticationFailed("wrong user name or password")
    response = Response({"access_token": access_token(user), "user": user_body(user)})
    response.set_cookie(COOKIE, refresh_token(user), max_age=7 * 24 * 3600, httponly=True, samesite="Lax")
    return response


@csrf_protect
@api_view(["POST"])
@authentication_classes([])
@permission_classes([AllowAny])
def refresh(request):
    token = request.COOKIES.get(COOKIE)
    if token is None:
        raise AuthenticationFailed("Authentication credentials were not provided.")
    try:
        claims = jwt.decode(token, settings.REFRESH_TOKEN_SECRET, algorithms=[ALGORITHM])
    except jwt.ExpiredSignatureError:
        raise AuthenticationFailed("expired refresh token, please login again.")
    except jwt.InvalidTokenError:
        raise AuthenticationFailed("refresh token invalid")
    user = get_user_model().objects.filter(pk=claims["user_id"], is_active=True).first()
    if user is None:
        raise AuthenticationFailed("user is inactive")
    return Response({"access_token": access_token(user)})


@api_view(["GET"])
def profile(request):
    return Response({"user": user_body(request.user)})


def user_body(user):
    return {
        "id": user.pk,
        "username": user.username,
        "email": user.email,
        "first_name": user.first_name,
        "last_name": user.last_name,
        "is_active": user.is_active,
    }
