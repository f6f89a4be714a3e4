"""A real Django project with users in it.

    python project.py plain  make sqlite:/path/to/db.sqlite3
    python project.py custom make postgres://user@localhost:5432/name
    python project.py plain  change …     what happens there after the first import
    python project.py plain  tell …       its users, in JSON

`plain` has Django's own users, one under each of its password hashers; `custom` a user model of its own.
"""

import json
import sys
from datetime import date, datetime, timezone
from urllib.parse import unquote, urlparse

import django
from django.conf import settings

PASSWORD = "a plum tree in autumn"
HASHERS = ["PBKDF2", "PBKDF2SHA1", "Argon2", "BCryptSHA256", "BCrypt", "Scrypt", "MD5"]


def database(url):
    if url.startswith("sqlite:"):
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": url.removeprefix("sqlite:")}
    parts = urlparse(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname,
        "PORT": parts.port,
    }


def configure(kind, url, **more):
    apps = ["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions"]
    settings.configure(
        DATABASES={"default": database(url)},
        INSTALLED_APPS=apps + (["accounts"] if kind == "custom" else []),
        AUTH_USER_MODEL="accounts.Member" if kind == "custom" else "auth.User",
        PASSWORD_HASHERS=[f"django.contrib.auth.hashers.{name}PasswordHasher" for name in HASHERS],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
        TIME_ZONE="Asia/Kolkata",
        **more,
    )
    django.setup()


def make(kind):
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    {"plain": make_plain, "custom": make_custom}[kind]()


def make_plain():
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import Group, Permission, User
    from django.contrib.contenttypes.models import ContentType

    joined = datetime(2021, 2, 3, 4, 5, 6, 789000, tzinfo=timezone.utc)
    seen = datetime(2024, 5, 6, 7, 8, 9, tzinfo=timezone.utc)
    algorithms = ["pbkdf2_sha256", "pbkdf2_sha1", "argon2", "bcrypt_sha256", "bcrypt", "scrypt"]
    # The ids have holes, as those of a project that is years old.
    for place, algorithm in enumerate(algorithms):
        User.objects.create(
            id=10 + 7 * place,
            username=f"Ana.{algorithm}",
            email=f"{algorithm}@example.com",
            first_name="Ána",
            last_name=f"O'Neil {place}",
            password=make_password(PASSWORD, hasher=algorithm),
            is_staff=place == 1,
            is_superuser=place == 2,
            date_joined=joined,
            last_login=seen if place == 0 else None,
        )
    other = {"date_joined": joined, "password": make_password(PASSWORD, hasher="argon2")}
    User.objects.create(id=100, username="weak", **{**other, "password": make_password(PASSWORD, hasher="md5")})
    User.objects.create(id=101, username="nopassword", **{**other, "password": make_password(None)})
    User.objects.create(id=102, username="gone", is_active=False, **other)
    # Two names that differ only in case, a name that Django's own form takes no more, and a shared address.
    User.objects.create(id=103, username="twin", email="shared@example.com", **other)
    User.objects.create(id=104, username="TWIN", email="Shared@Example.com", **other)
    User.objects.create(id=105, username="two words", **other)
    User.objects.create(id=106, username="sharing", email="shared@example.com", **other)

    editors = Group.objects.create(name="Editors")
    editors.permissions.set(Permission.objects.filter(codename__in=["view_user", "change_user"]))
    Group.objects.create(name="Empty")
    first = User.objects.get(id=10)
    first.groups.add(editors)
    first.user_permissions.add(Permission.objects.get(codename="delete_group"))
    # An app of a common name, and in it a permission that is named like one of Countersign's own admin site.
    things = ContentType.objects.create(app_label="users", model="thing")
    first.user_permissions.add(Permission.objects.create(codename="change", name="Change", content_type=things))


def make_custom():
    from accounts.models import Member
    from django.contrib.auth.models import Group, Permission

    def member(number, **more):
        made = Member(id=number, email=f"member{number}@example.com", **more)
        made.set_password(PASSWORD)
        made.save()
        return made

    one = member(1, phone="+41 44 000 00 00", birthday=date(1990, 2, 28))
    member(2, phone="", is_superuser=True, is_staff=True)
    member(1000, phone="not a number at all", birthday=date(2001, 1, 1))
    writers = Group.objects.create(name="Writers")
    writers.permissions.add(Permission.objects.get(codename="publish"))
    one.groups.add(writers)


def change(_):
    """One changes the password and the name, one is switched off, one gets another group, one joins."""
    from django.contrib.auth.hashers import make_password
    from django.contrib.auth.models import Group, User

    User.objects.filter(id__in=[10, 17]).update(password=make_password(PASSWORD + ", later", hasher="argon2"))
    User.objects.filter(id=24).update(last_name="Later", email="later@example.com")
    User.objects.filter(id=31).update(is_active=False)
    ana = User.objects.get(id=10)
    ana.groups.set([Group.objects.get(name="Empty")])
    User.objects.create(id=500, username="joined.later", password=make_password(PASSWORD, hasher="argon2"))


def tell(_):
    from django.contrib.auth import get_user_model

    model = get_user_model()
    users = [
        {"id": user.id, "name": user.get_username(), "password": user.password, "active": user.is_active}
        for user in model.objects.order_by("id")
    ]
    json.dump(users, sys.stdout)


if __name__ == "__main__":
    kind, act, url = sys.argv[1:]
    configure(kind, url)
    {"make": make, "change": change, "tell": tell}[act](kind)
