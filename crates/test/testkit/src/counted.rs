//! Reading a front's operation counts.

/// The count of `operation`, which must be one that the front counts.
pub fn counted(counts: &[(&'static str, u64)], operation: &str) -> u64 {
    let found = counts.iter().find(|(name, _)| *name == operation);
    found.expect("the front counts the operation").1
}
