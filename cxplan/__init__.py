"""Work modes and skill levels of a CXone contact centre as code."""
