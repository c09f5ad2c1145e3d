"""Running without a queue: tasks in this process, workflows by the embedded engine.

The room has one door, ``runner.InProcessRunner``, which a project hands to ``register_runner``. Nothing else of the
platform imports these modules, so the packages of the functions do not contain the engine.

IN_PROCESS_WORKFLOWS says when tasks run: ``thread``, beside the request, so that no request waits; or ``inline``,
before the call returns, so that a test or a script sees the end.
"""

THREAD, INLINE = "thread", "inline"
