"""The command line: one verb a file; each parses, calls public functions and prints."""
