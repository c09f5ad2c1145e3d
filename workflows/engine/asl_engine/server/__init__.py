"""The Step Functions API of the engine, for boto3 and the AWS CLI."""
