"""AWS on one machine: ministack, with what is put around it."""
