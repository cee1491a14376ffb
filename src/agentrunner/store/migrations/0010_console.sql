CREATE TABLE logins (
    hash TEXT NOT NULL PRIMARY KEY,
    scope TEXT NOT NULL,
    expires_at {{int}} NOT NULL
) {{strict}};

CREATE TABLE sessions (
    id {{serial}},
    hash TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL,
    browser TEXT NOT NULL,
    token_id {{int}} REFERENCES tokens (id),
    created_at {{int}} NOT NULL,
    used_at {{int}} NOT NULL,
    expires_at {{int}} NOT NULL
) {{strict}};

ALTER TABLE workers ADD COLUMN programs TEXT NOT NULL DEFAULT '{}';
