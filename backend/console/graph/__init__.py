"""The graph of a state machine: read from its definition, laid out, coloured by what happened, drawn as SVG."""
