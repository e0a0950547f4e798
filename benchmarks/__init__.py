"""How fast fastnn is, and how fast its peers are, on this machine."""
