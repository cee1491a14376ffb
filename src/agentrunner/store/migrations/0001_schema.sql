CREATE TABLE meta (
    key TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) {{strict}};

CREATE TABLE projects (
    id {{serial}},
    name TEXT NOT NULL UNIQUE,
    path TEXT,
    settings TEXT NOT NULL,
    created_at {{int}} NOT NULL
) {{strict}};

CREATE TABLE workers (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    host TEXT NOT NULL,
    version TEXT NOT NULL,
    machine_id TEXT NOT NULL,
    lock_inode {{int}} NOT NULL,
    boot_id TEXT NOT NULL,
    epoch {{int}} NOT NULL,
    slots {{int}} NOT NULL,
    running {{int}} NOT NULL,
    backends TEXT NOT NULL,
    limits TEXT NOT NULL,
    tree TEXT NOT NULL,
    registered_at {{int}} NOT NULL,
    heard_at {{int}} NOT NULL,
    reachable {{int}} NOT NULL DEFAULT 1,
    claim_id TEXT,
    claim_runs TEXT
) {{strict}};

CREATE TABLE runs (
    id {{serial}},
    external_id TEXT UNIQUE,
    title TEXT NOT NULL,
    goal TEXT NOT NULL,
    project_id {{int}} NOT NULL REFERENCES projects (id),
    backend TEXT NOT NULL,
    agent TEXT,
    agent_version TEXT,
    status TEXT NOT NULL,
    phase TEXT,
    phase_since {{int}},
    hold TEXT,
    hold_until {{int}},
    reason TEXT,
    message TEXT,
    desired TEXT NOT NULL,
    revision {{int}} NOT NULL,
    answered {{int}} NOT NULL,
    attempt {{int}} NOT NULL,
    epoch {{int}} NOT NULL,
    worker_id TEXT,
    priority {{int}} NOT NULL,
    exit_code {{int}},
    signal {{int}},
    options TEXT NOT NULL,
    limits TEXT NOT NULL,
    retry TEXT NOT NULL,
    on_lost TEXT NOT NULL,
    has_secrets {{int}} NOT NULL,
    usage TEXT NOT NULL,
    cost_usd {{real}},
    last_seq {{int}} NOT NULL,
    retry_of {{int}},
    created_at {{int}} NOT NULL,
    queued_at {{int}} NOT NULL,
    started_at {{int}},
    ended_at {{int}},
    labels TEXT NOT NULL,
    metadata TEXT NOT NULL
) {{strict}};

CREATE INDEX runs_queue ON runs (priority DESC, id) WHERE status = 'QUEUED';

CREATE INDEX runs_owned ON runs (worker_id) WHERE status IN ('RUNNING', 'PAUSED');

CREATE INDEX runs_status ON runs (status, id);

CREATE INDEX runs_project ON runs (project_id, id);

CREATE INDEX runs_backend ON runs (backend, id);

CREATE INDEX runs_agent ON runs (agent, id) WHERE agent IS NOT NULL;

CREATE TABLE labels (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    run_id {{int}} NOT NULL REFERENCES runs (id),
    PRIMARY KEY (name, value, run_id)
) {{strict}};

CREATE TABLE attempts (
    id {{serial}},
    run_id {{int}} NOT NULL REFERENCES runs (id),
    number {{int}} NOT NULL,
    uid TEXT NOT NULL UNIQUE,
    worker_id TEXT NOT NULL,
    boot_id TEXT NOT NULL,
    claimed_at {{int}} NOT NULL,
    started_at {{int}},
    ended_at {{int}},
    status TEXT,
    reason TEXT,
    exit_code {{int}},
    process TEXT,
    out_offset {{int}} NOT NULL DEFAULT 0,
    err_offset {{int}} NOT NULL DEFAULT 0,
    journal_offset {{int}} NOT NULL DEFAULT 0,
    out_state TEXT,
    err_state TEXT,
    journal_state TEXT,
    UNIQUE (run_id, number)
) {{strict}};

CREATE TABLE events (
    id {{serial}},
    run_id {{int}} NOT NULL,
    seq {{int}} NOT NULL,
    attempt {{int}} NOT NULL,
    ts {{int}} NOT NULL,
    type TEXT NOT NULL,
    level TEXT NOT NULL,
    payload TEXT NOT NULL,
    late {{int}} NOT NULL DEFAULT 0,
    producer TEXT,
    client_seq {{int}},
    UNIQUE (run_id, seq)
) {{strict}};

CREATE UNIQUE INDEX events_producer ON events (run_id, producer, client_seq) WHERE producer IS NOT NULL;

CREATE TABLE inputs (
    id {{serial}},
    run_id {{int}} NOT NULL REFERENCES runs (id),
    text TEXT NOT NULL,
    created_at {{int}} NOT NULL,
    delivered_at {{int}}
) {{strict}};

CREATE INDEX inputs_waiting ON inputs (run_id) WHERE delivered_at IS NULL;

CREATE TABLE tokens (
    id {{serial}},
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL,
    created_at {{int}} NOT NULL,
    revoked_at {{int}}
) {{strict}};

CREATE TABLE idempotency (
    key TEXT NOT NULL PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    run_ids TEXT NOT NULL,
    created_at {{int}} NOT NULL
) {{strict}};

CREATE TABLE counts (
    name TEXT NOT NULL PRIMARY KEY,
    n {{int}} NOT NULL
) {{strict}};
