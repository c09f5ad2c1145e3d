"""What Django and the functions agree on: messages, task ids, the catalog, errors. Imports no Django."""
