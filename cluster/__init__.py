"""Where a sweep runs. Knows Ray, knows no science."""
