-- Full text: one document for each text, found by its run's id and the `seq` of the event that brought it.

-- [sqlite]
-- The words are made by `domain/words.py`, so the tokenizer only has to keep them apart. The row's id is
-- run_id << 32 | seq, which puts the documents in the order of their runs.
CREATE VIRTUAL TABLE search USING fts5 (body, tokenize = 'ascii', columnsize = 0);

-- [postgres]
CREATE TABLE search (
    run_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    body TSVECTOR NOT NULL,
    PRIMARY KEY (run_id, seq)
);

CREATE INDEX search_body ON search USING GIN (body);

-- [both]
CREATE INDEX labels_name ON labels (name, run_id);

CREATE INDEX workers_name ON workers (name);

CREATE INDEX runs_cost ON runs (cost_usd) WHERE cost_usd IS NOT NULL;

CREATE INDEX runs_took ON runs ((ended_at - started_at)) WHERE ended_at IS NOT NULL;
