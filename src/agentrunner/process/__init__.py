"""Processes: the zygote and its shims, the files they leave, and how a worker reads them."""
