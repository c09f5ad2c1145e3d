"""Code that functions share: the edges to AWS, logging, and the running of a step."""
