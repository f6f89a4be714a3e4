from django.urls import path

from . import views

urlpatterns = [
    path("accounts/login", views.login),
    path("accounts/refresh_token", views.refresh),
    path("accounts/profile", views.profile),
]
