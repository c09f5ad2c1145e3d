"""API keys of the mobile app: made once, shown once, kept as a digest.

A key is 8 random characters that find it (its prefix), a dot, and 32 random bytes. Since the secret is
random and long, one SHA-256 is enough: there is no dictionary to try.
"""

import hashlib
import hmac
import secrets
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from core.models import ApiKey

PREFIX_LENGTH = 8
# Not at every request: a key's last use is for people who clean up, to the minute is enough.
LAST_USED_RESOLUTION = timedelta(minutes=1)


def issue_api_key(name: str) -> tuple[ApiKey, str]:
    """Save a new key and return it with its text, which nobody can show again."""
    prefix = secrets.token_hex(PREFIX_LENGTH // 2)
    key = f"{prefix}.{secrets.token_urlsafe(32)}"
    return ApiKey.objects.create(name=name, prefix=prefix, key_hash=_digest(key)), key


def find_api_key(key: str) -> ApiKey | None:
    """Return the active key of this text, or None. Takes as long for a wrong secret as for a right one."""
    digest = _digest(key)
    found = None
    for candidate in ApiKey.objects.active().filter(prefix=key[:PREFIX_LENGTH]):
        if hmac.compare_digest(candidate.key_hash, digest):
            found = candidate
    return found


def note_use(key: ApiKey) -> None:
    """Remember that the key was used just now."""
    now = timezone.now()
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - LAST_USED_RESOLUTION)
    if key.last_used_at is None or key.last_used_at < now - LAST_USED_RESOLUTION:
        ApiKey.objects.filter(stale, pk=key.pk).update(last_used_at=now)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
