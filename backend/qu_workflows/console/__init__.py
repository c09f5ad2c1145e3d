"""The console: every task, execution graph, dead letter and schedule, for staff, and the actions on them.

Of the other apps it imports ``services`` and ``queries``; a product adds its own by ``console.hooks``.
"""
