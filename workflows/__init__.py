"""What a workflow is: its contract, its graph, the catalog of task names, the task message."""
