"""The content of each page, as its template and its JSON twin have it; ``views`` are the requests for it."""
