"""The names of AWS's SDKs for Java, which Step Functions shows: services, parameters, errors.

Optimised integrations go through version 1 of that SDK, ``aws-sdk:`` ones through version 2; the two
name things differently, and so do their errors' texts.
"""

import re

# Where an aws-sdk Resource's service is not boto3's own name without its hyphens.
_BOTO3_NAMES = {
    "applicationdiscovery": "discovery",
    "applicationdiscoveryservice": "discovery",
    "cloudwatchlogs": "logs",
    "cognitoidentityprovider": "cognito-idp",
    "configservice": "config",
    "costandusagereport": "cur",
    "costandusagereportservice": "cur",
    "costexplorer": "ce",
    "databasemigration": "dms",
    "databasemigrationservice": "dms",
    "directory": "ds",
    "directoryservice": "ds",
    "directoryservicedata": "ds-data",
    "elasticloadbalancing": "elb",
    "elasticloadbalancingv2": "elbv2",
    "elasticsearch": "es",
    "elasticsearchservice": "es",
    "eventbridge": "events",
    "iotdataplane": "iot-data",
    "iotjobsdataplane": "iot-jobs-data",
    "lexmodelbuilding": "lex-models",
    "lexmodelbuildingservice": "lex-models",
    "lexmodelsv2": "lexv2-models",
    "lexruntime": "lex-runtime",
    "lexruntimeservice": "lex-runtime",
    "lexruntimev2": "lexv2-runtime",
    "marketplaceentitlement": "marketplace-entitlement",
    "marketplaceentitlementservice": "marketplace-entitlement",
    "marketplacemetering": "meteringmarketplace",
    "migrationhub": "mgh",
    "pinpointsmsvoice": "sms-voice",
    "serverlessapplicationrepository": "serverlessrepo",
    "sfn": "stepfunctions",
    "simpledb": "sdb",
}


def boto3_name(sdk_service: str, available: list[str]) -> str | None:
    """Return boto3's name of the service of an aws-sdk Resource, or None when there is no such service."""
    named = _BOTO3_NAMES.get(sdk_service)
    if named:
        return named
    return next((name for name in available if name.replace("-", "") == sdk_service.replace("-", "")), None)


def pascal_case(name: str) -> str:
    """Return a member's or service's name as aws-sdk integrations write it: one leading acronym is one word.

    ``stateMachineArn`` is StateMachineArn, ``SSEKMSKeyId`` SsekmsKeyId, ``ETag`` ETag.
    """
    return re.sub(r"^(.)((?:[A-Z](?![a-z]))*)", lambda match: match[1].upper() + match[2].lower(), name)


def capitalised(name: str) -> str:
    """Return a name with its first letter as a capital, as optimised integrations write it."""
    return name[:1].upper() + name[1:]


def service_word(service_id: str) -> str:
    """Return a service's name in the errors of aws-sdk integrations: DynamoDb, SecretsManager, Sfn."""
    text = re.sub(r"(?<=[A-Z]{2})v(?=[0-9])", " V", re.sub(r"[^A-Za-z0-9]+", " ", service_id))
    text = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[0-9])(?=[A-Za-z])", " ", text)
    return "".join(word.capitalize() for word in text.split())


def exception_name(name: str) -> str:
    """Return the class of Java's that stands for an error: its name, ending in Exception."""
    return name if name.endswith("Exception") else f"{name.removesuffix('Fault')}Exception"
