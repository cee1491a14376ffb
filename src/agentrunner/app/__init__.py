"""The composition root: the only place that names concrete drivers and backends and wires things together."""
