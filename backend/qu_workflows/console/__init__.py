"""The console: tasks, execution graphs, dead letters and schedules, and the actions on them.

It imports only ``services`` and ``queries`` of other apps; a product extends it through ``console.hooks``.
"""
