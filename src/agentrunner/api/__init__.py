"""The server's HTTP: the native surface under /v1, the worker protocol, streams, and who may call what."""
