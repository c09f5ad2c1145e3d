"""What more than one function needs: the edges to AWS, logging, and how a step is run."""
