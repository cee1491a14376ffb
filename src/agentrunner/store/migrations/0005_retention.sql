-- Deleting a run looks for the rows that refer to it, in every table that may.

CREATE INDEX labels_run ON labels (run_id);

CREATE INDEX inputs_run ON inputs (run_id);
