"""The operations of the Step Functions API, one function each, by AWS's name."""
