"""The tables: task records, the audit log, alerts and samples of executions."""
