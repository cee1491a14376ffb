CREATE TABLE views (
    id {{serial}},
    name TEXT NOT NULL UNIQUE,
    query TEXT NOT NULL,
    created_at {{int}} NOT NULL
) {{strict}};

CREATE INDEX runs_created ON runs (created_at, id);

CREATE INDEX runs_reason ON runs (reason, id) WHERE reason IS NOT NULL;

CREATE INDEX runs_worker ON runs (worker_id, id) WHERE worker_id IS NOT NULL;
