"""The daily digest: one mail to each client about a day's reports."""
