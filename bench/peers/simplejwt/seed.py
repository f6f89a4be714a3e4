"""Makes the database and a thousand users, and prints sessions, one JSON object a line."""

import json
import os
import sys

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "simple.settings")

import django

django.setup()

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.core.management import call_command
from rest_framework_simplejwt.tokens import RefreshToken

call_command("migrate", verbosity=0)
password = make_password(sys.argv[1])
names = [f"user-{number}" for number in range(1, 1001)]
User.objects.bulk_create(
    User(username=name, email=f"{name}@example.com", password=password) for name in names
)
for user in User.objects.order_by("pk")[: int(sys.argv[2])]:
    refresh = RefreshToken.for_user(user)
    print(json.dumps({"user": user.username, "access": str(refresh.access_token), "refresh": str(refresh), "csrf": ""}))
