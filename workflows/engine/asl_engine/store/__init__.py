"""Where executions are kept: one contract, a SQLite store and one in memory."""
