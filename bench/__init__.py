"""Laurel's figures, each as a ratio to a floor that is measured in the same run on the same servers."""
