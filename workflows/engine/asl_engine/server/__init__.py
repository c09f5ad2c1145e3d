"""The engine served as the Step Functions API: boto3 and the AWS CLI take it for AWS."""
