"""The token files of a data directory: how commands and the worker of the same host find theirs."""

TOKEN_FILE = "token"
WORKER_TOKEN_FILE = "worker-token"
