"""The fastest, told three ways that are never mixed: what the loss costs, what a step costs, and how soon a quality is reached.

The first is measured by itself (`measuring`, in a process of its own: `python -m sweeps.speed`), the other two are read from the clocks of
the finalists. `answers.speed_of` puts the three beside each other for the verdict; there is no sum of them, and no overall winner.
"""
