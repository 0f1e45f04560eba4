"""The scores once more, in plain loops over pixels, pairs and floods, and slow on purpose.

Nothing is shared with the package: no labelling, no distance transform, no table, no Euler number. Masks are bool arrays [H, W].
"""
