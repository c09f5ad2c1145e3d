"""Permissions of the API of the back office; REST framework imports it with its settings."""

from typing import Any

from rest_framework.permissions import DjangoModelPermissions
from rest_framework.request import Request


class BackOfficePermissions(DjangoModelPermissions):
    """Allows staff with rights on the view's model, as in the admin.

    DELETE deactivates a row, so it needs the right to change.
    """

    perms_map = {
        "GET": ["%(app_label)s.view_%(model_name)s"],
        "HEAD": ["%(app_label)s.view_%(model_name)s"],
        "OPTIONS": ["%(app_label)s.view_%(model_name)s"],
        "POST": ["%(app_label)s.add_%(model_name)s"],
        "PUT": ["%(app_label)s.change_%(model_name)s"],
        "PATCH": ["%(app_label)s.change_%(model_name)s"],
        "DELETE": ["%(app_label)s.change_%(model_name)s"],
    }

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the request's user is staff and has the right."""
        return bool(request.user and request.user.is_staff) and super().has_permission(request, view)
