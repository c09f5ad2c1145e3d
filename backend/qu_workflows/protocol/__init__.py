"""The protocol between Django and the functions: messages, task ids, catalog, errors. Imports no Django."""
