"""Files of reports: storage, delivery, and limits of uploads."""
