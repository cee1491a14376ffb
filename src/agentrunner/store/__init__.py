"""The database: a contract in words, its drivers, and the SQL of each noun."""
