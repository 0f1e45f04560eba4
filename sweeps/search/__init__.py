"""The first stage: one Optuna study a loss, one pruner a loss, and the list of what to run next."""
