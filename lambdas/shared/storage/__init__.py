"""Where files, payloads and the ledger of sent mails are kept: on AWS, or in folders on local disk."""
