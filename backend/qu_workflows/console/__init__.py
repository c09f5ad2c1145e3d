"""The console: every task, execution graph, dead letter and schedule, for staff, and what can be done with them.

Reads and acts only through the ``queries`` and ``services`` of the other apps: no boto3 here.
"""
