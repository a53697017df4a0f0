"""What measures: the paper's table, profiles, emulated ARM, the quickstart and its report."""
