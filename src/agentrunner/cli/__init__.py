"""The command line: one file per noun, thin over the client (what a server is asked) and app (what runs here)."""
