"""Default settings of the console. Imports no Django, so that settings can import it."""

# The values of these keys are masked in payloads: a word fits every key that has it; *, ? as in a shell.
MASKED_KEYS = (
    *("password", "passwords", "passwd", "passphrase", "secret", "secrets", "token", "tokens", "authorization"),
    *("cookie", "credential", "credentials", "api_key", "apikey", "access_key", "secret_key", "private_key"),
    *("signature", "session_id", "email", "phone", "phone_number", "telephone", "mobile", "address", "street"),
    *("postal_code", "first_name", "last_name", "full_name", "birth_date", "date_of_birth", "ssn", "iban"),
    "card_number",
)
