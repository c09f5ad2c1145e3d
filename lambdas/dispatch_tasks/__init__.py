"""The dispatcher: starts one execution for each task message of the queue."""
