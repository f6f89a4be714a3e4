"""A Django project that trusts Countersign's tokens, by the class that docs/coming-from-django.md shows.

    python trusting.py <folder of countersign_auth.py> <URL of Countersign> <database> <line for line: requests>

Each line of standard input is a request, `METHOD<tab>Authorization<tab>X-CSRFTOKEN`; each line of standard output the
status and the user's id, or the code of the refusal.
"""

import sys

import project

folder, url, database = sys.argv[1:]
sys.path.insert(0, folder)

project.configure(
    "plain",
    database,
    COUNTERSIGN_URL=url,
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["testserver"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["countersign_auth.CountersignAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    },
)

from django.urls import path
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView


class Me(APIView):
    def get(self, request):
        return Response({"id": request.user.pk})

    post = get


urlpatterns = [path("me", Me.as_view())]

if __name__ == "__main__":
    for line in sys.stdin:
        method, authorization, csrf = line.rstrip("\n").split("\t")
        headers = {"Authorization": authorization, "X-CSRFTOKEN": csrf}
        headers = {name: value for name, value in headers.items() if value}
        answer = APIClient().generic(method, "/me", headers=headers)
        said = answer.data.get("id") or answer.data["detail"].code
        print(answer.status_code, said, flush=True)
