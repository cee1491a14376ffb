"""Where runs work: directories of projects, and the environment that agents get."""
