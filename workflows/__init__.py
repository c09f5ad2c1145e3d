"""The workflows of this project: contracts, graphs, schedules and errors."""
