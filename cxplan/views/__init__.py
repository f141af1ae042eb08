"""Values to text; nothing else prints."""
