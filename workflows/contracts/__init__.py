"""Inputs and outputs of each workflow and its steps, one module per workflow."""
