"""Effects that a second run of each workflow repeats, in a sentence for operators."""

from collections.abc import Mapping

# Held against the keys of the effects by a test.
REPEATED_EFFECTS: Mapping[str, str] = {
    "daily_report_digest": "A client who was sent the day's digest is not sent it again either way.",
    "guard_report": "A mail about the report that was sent is not sent again either way.",
    "incident_escalation": "Until somebody has acknowledged, a redrive goes on with whose turn it is; a restart asks "
    "everybody again, from the first.",
    "notification_email": "A redrive does not send again a mail that was sent; a restart does.",
    "run_task": "A redrive does not call again a function that has returned; a restart does.",
}
