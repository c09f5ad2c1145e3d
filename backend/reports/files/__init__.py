"""Files of reports: where they are stored, how they are served, and the limits of an upload."""
