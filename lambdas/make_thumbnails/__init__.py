"""Makes small pictures of a picture or of a PDF's first page."""
