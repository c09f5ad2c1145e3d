"""Performers of tasks: Lambda, AWS services, functions of this process; only they import boto3."""
