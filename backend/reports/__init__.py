"""Guard reports: the API, the files, the mails."""
