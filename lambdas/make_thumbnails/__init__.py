"""Makes small pictures of a picture, a video, a sound or a PDF's first page."""
