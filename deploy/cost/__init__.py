"""What the workflows cost on AWS, and which quota stops them first."""
