"""Default settings of the console. Imports no Django, so that settings modules can import it."""

# Keys whose values are masked in payloads: a word matches every key that contains it; * and ? as in a shell. So
# "?ccess" is the key "access" alone, and not "access_level".
MASKED_KEYS = (
    *("password", "passwords", "passwd", "passphrase", "passcode", "pwd", "pin", "otp", "secret", "secrets"),
    *("*password?", "*password", "*passwd", "*pwd", "*secret", "*token", "*tokens", "*apikey"),
    *("token", "tokens", "jwt", "?efresh", "?ccess", "?uth", "bearer", "csrf", "authorization", "nonce"),
    *("cookie", "cookies", "credential", "credentials", "api_key", "api_keys", "apikey", "access_key", "secret_key"),
    *("private_key", "signing_key", "encryption_key", "ssh_key", "signature", "sig", "session_id", "sessionid"),
    *("sid", "connection_string", "database_url", "dsn"),
    *("email", "e_mail", "phone", "phone_number", "telephone", "tel", "mobile", "fax"),
    *("address", "street", "postal_code", "postcode", "zip_code", "first_name", "last_name", "full_name"),
    *("surname", "given_name", "family_name", "maiden_name", "birth_date", "birthday", "birthdate", "dob"),
    *("date_of_birth", "ssn", "social_security_number", "passport", "iban", "card_number", "cvv", "cvc"),
)
