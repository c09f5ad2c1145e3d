"""The steps: one folder per function, named verb_object; ``shared`` holds their edges."""
