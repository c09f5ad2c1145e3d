"""The console: every task, execution graph, dead letter and schedule, for staff, and what can be done with them.

Reads and acts only through ``qu_workflows.executions.queries`` and the other services of ``executions``: no boto3 here.
"""
