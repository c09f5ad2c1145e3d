"""Guard reports: their files, mails and pages."""
