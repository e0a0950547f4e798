"""What notebooks show of objects: HTML."""
