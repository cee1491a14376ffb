"""Random lives beside a model, on both databases; and planted bugs, to show that the machine can fail."""
