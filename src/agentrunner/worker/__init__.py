"""The worker: claims runs, supervises their processes, records what they write and how they end."""
