"""Default settings of the console. Imports no Django, so that settings modules can import it."""

# Keys whose values are masked in payloads: a word matches every key that contains it; * and ? as in a shell.
MASKED_KEYS = (
    *("password", "passwords", "passwd", "passphrase", "secret", "secrets", "token", "tokens", "authorization"),
    *("cookie", "credential", "credentials", "api_key", "apikey", "access_key", "secret_key", "private_key"),
    *("signature", "session_id", "email", "phone", "phone_number", "telephone", "mobile", "address", "street"),
    *("postal_code", "first_name", "last_name", "full_name", "birth_date", "date_of_birth", "ssn", "iban"),
    "card_number",
)
