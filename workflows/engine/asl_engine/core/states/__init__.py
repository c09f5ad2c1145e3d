"""What each type of state does when it is entered and when what it waited for has come."""
