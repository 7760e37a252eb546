//! The broker's limits, each with its reason.

/// Requests that wait for a shard: enough to fill a group commit, few enough that a flood of
/// producers feels it.
pub const INBOX_REQUESTS_MAX: usize = 4_096;

/// Requests that a shard takes up before it looks at its other events.
pub const TURN_REQUESTS_MAX: usize = 512;
