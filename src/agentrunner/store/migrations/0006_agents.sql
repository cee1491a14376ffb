CREATE TABLE agents (
    id {{serial}},
    name TEXT NOT NULL UNIQUE,
    project TEXT NOT NULL,
    created_at {{int}} NOT NULL,
    updated_at {{int}} NOT NULL
) {{strict}};

CREATE TABLE agent_versions (
    id {{serial}},
    agent_id {{int}} NOT NULL REFERENCES agents (id),
    version TEXT NOT NULL,
    cluster TEXT NOT NULL,
    tools TEXT NOT NULL,
    models TEXT NOT NULL,
    deployment TEXT NOT NULL,
    settings TEXT NOT NULL,
    created_at {{int}} NOT NULL,
    updated_at {{int}} NOT NULL,
    UNIQUE (agent_id, version)
) {{strict}};

CREATE TABLE rollups (
    grain TEXT NOT NULL,
    start {{int}} NOT NULL,
    version_id {{int}} NOT NULL,
    project_id {{int}} NOT NULL,
    runs {{int}} NOT NULL,
    completed {{int}} NOT NULL,
    failed {{int}} NOT NULL,
    stopped {{int}} NOT NULL,
    timed {{int}} NOT NULL,
    duration_ms {{int}} NOT NULL,
    waited {{int}} NOT NULL,
    wait_ms {{int}} NOT NULL,
    input_tokens {{int}} NOT NULL,
    cache_read_tokens {{int}} NOT NULL,
    cache_write_tokens {{int}} NOT NULL,
    output_tokens {{int}} NOT NULL,
    cost_micro {{int}} NOT NULL,
    last_seen {{int}} NOT NULL,
    durations TEXT NOT NULL,
    waits TEXT NOT NULL,
    PRIMARY KEY (grain, start, version_id, project_id)
) {{strict}};

CREATE INDEX rollups_version ON rollups (version_id, grain, start);

CREATE INDEX runs_ended ON runs (ended_at, id) WHERE ended_at IS NOT NULL;

CREATE INDEX runs_version ON runs (agent, agent_version, created_at, id) WHERE agent IS NOT NULL;

CREATE TABLE spans (
    run_id {{int}} NOT NULL,
    span_id TEXT NOT NULL,
    parent_id TEXT,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    started_at {{int}} NOT NULL,
    ended_at {{int}},
    status TEXT,
    attrs TEXT NOT NULL,
    PRIMARY KEY (run_id, span_id)
) {{strict}};

CREATE INDEX spans_open ON spans (run_id, started_at) WHERE ended_at IS NULL;

CREATE TABLE usage_reports (
    run_id {{int}} NOT NULL,
    report_id TEXT NOT NULL,
    seq {{int}} NOT NULL,
    span_id TEXT NOT NULL,
    model TEXT,
    source TEXT,
    confidence TEXT,
    input_tokens {{int}},
    output_tokens {{int}},
    total_tokens {{int}},
    cost_usd {{real}},
    PRIMARY KEY (run_id, report_id)
) {{strict}};

CREATE INDEX usage_reports_span ON usage_reports (run_id, span_id, seq);

CREATE TABLE reported (
    run_id {{int}} NOT NULL PRIMARY KEY REFERENCES runs (id),
    surface TEXT NOT NULL,
    status TEXT NOT NULL,
    error TEXT,
    extra TEXT NOT NULL
) {{strict}};
