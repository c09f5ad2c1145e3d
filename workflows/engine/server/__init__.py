"""The Step Functions API over HTTP, as boto3, the AWS CLI and the AWS console's SDK speak it."""
