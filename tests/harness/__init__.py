"""What the black-box tests and the comparisons share: set-up, processes, Stele itself."""
