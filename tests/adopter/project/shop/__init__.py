"""A shop that has never heard of guards: the smallest project that installs the platform."""
