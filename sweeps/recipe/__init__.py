"""A recipe: one YAML file that says all of a sweep, checked before anything starts.

from sweeps.recipe.schema import read_recipe
read_recipe("isbi2012-quick", overrides=["train.epochs=2"])
"""
