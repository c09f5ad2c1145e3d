"""Users of the shop, who sign in by their address."""
