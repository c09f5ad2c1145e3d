"""Makes thumbnails of pictures, videos, sounds and PDFs."""
