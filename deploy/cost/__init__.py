"""What the workflows cost on AWS, and which quota stops them first: ``make cost`` fills in ``deploy/COST.md``."""
