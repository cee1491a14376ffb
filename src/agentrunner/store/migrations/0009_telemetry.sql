CREATE TABLE telemetry (
    name TEXT NOT NULL PRIMARY KEY,
    run_id {{int}} NOT NULL,
    ends {{int}} NOT NULL,
    heard_at {{int}} NOT NULL,
    due_at {{int}}
) {{strict}};

CREATE INDEX telemetry_run ON telemetry (run_id);

CREATE INDEX telemetry_due ON telemetry (due_at) WHERE due_at IS NOT NULL;
