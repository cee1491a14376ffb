CREATE TABLE samples (
    run_id {{int}} NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
    attempt {{int}} NOT NULL,
    at {{int}} NOT NULL,
    cpu_us {{int}} NOT NULL,
    memory_bytes {{int}} NOT NULL,
    processes {{int}} NOT NULL,
    PRIMARY KEY (run_id, at)
) {{strict}};

CREATE TABLE sample_totals (
    run_id {{int}} NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
    attempt {{int}} NOT NULL,
    cpu_us {{int}} NOT NULL,
    cpu_before_us {{int}} NOT NULL,
    memory_peak_bytes {{int}} NOT NULL,
    processes_peak {{int}} NOT NULL,
    points {{int}} NOT NULL,
    step_ms {{int}} NOT NULL,
    sampled_at {{int}} NOT NULL
) {{strict}};
