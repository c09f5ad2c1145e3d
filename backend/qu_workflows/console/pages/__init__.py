"""The content of each page, for its template and its JSON twin."""
