"""The API's operations, one module per kind of thing they are about."""
