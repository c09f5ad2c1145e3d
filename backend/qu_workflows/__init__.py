"""Background tasks of more than one step for Django: SQS carries a task, Step Functions runs it."""
