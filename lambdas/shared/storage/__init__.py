"""Storage of files, payloads and the ledger of sent mails."""
