"""What goes into and comes out of each workflow and each of its steps, one module per workflow."""
