"""The client of the HTTP API, for the command line and for programs; knows words, never a store or a process."""
