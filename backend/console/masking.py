"""To come: payloads without secrets and personal data."""
