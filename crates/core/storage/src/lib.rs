//! The journal, the segments and the snapshots.
