//! Wires the broker and its fronts into one process.
