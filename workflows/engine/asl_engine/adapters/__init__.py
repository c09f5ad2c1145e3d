"""What performs a Task: Lambda, other AWS services, functions of this process. The only place that knows boto3."""
