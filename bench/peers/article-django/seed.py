"""Makes the database and a thousand users, and prints sessions, one JSON object a line."""

import json
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "article.settings")

import django

django.setup()

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.management import call_command
from django.middleware.csrf import _get_new_csrf_string

from article.tokens import access_token, refresh_token

call_command("migrate", verbosity=0)
password = make_password(sys.argv[1])
names = [f"user-{number}" for number in range(1, 1001)]
User.objects.bulk_create(
    User(username=name, email=f"{name}@example.com", password=password) for name in names
)
for user in User.objects.order_by("pk")[: int(sys.argv[2])]:
    session = {"user": user.username, "access": access_token(user), "refresh": refresh_token(user)}
    print(json.dumps(session | {"csrf": _get_new_csrf_string()}))
