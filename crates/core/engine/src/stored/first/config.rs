//! Configurations.

use serde::Deserialize;
use stele_base_types::SessionId;

use crate::{Durability, Lifetime};

#[derive(Debug, Deserialize)]
pub(in crate::stored) struct LogConfig {
    partitions: u32,
    durability: Durability,
    retention: Retention,
    lifetime: StoredLifetime,
    queue: Option<LedgerConfig>,
}

#[derive(Debug, Deserialize)]
struct Retention {
    until_acknowledged: bool,
    window: Option<Window>,
}

#[derive(Debug, Deserialize)]
struct Window {
    time_ms: Option<u64>,
    size_bytes: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(in crate::stored) struct LedgerConfig {
    fifo: bool,
    delay_ms: u64,
    expiry_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct StoredLifetime {
    exclusive: Option<SessionId>,
    unused: WhenUnused,
}

/// What happens to a log without consumers.
#[derive(Debug, Deserialize)]
enum WhenUnused {
    Stays,
    GoesAtOnce,
    GoesAfter(u64),
    /// Deleted with its last consumer, or after this time if it never has one.
    GoesAtOnceOrAfter(u64),
}

impl From<LogConfig> for crate::LogConfig {
    fn from(stored: LogConfig) -> Self {
        let window = stored.retention.window.map(|window| crate::Window {
            time_ms: window.time_ms,
            size_bytes: window.size_bytes,
        });
        Self {
            partitions: stored.partitions,
            durability: stored.durability,
            retention: crate::Retention {
                until_acknowledged: stored.retention.until_acknowledged,
                window,
            },
            lifetime: stored.lifetime.into(),
            queue: stored.queue.map(Into::into),
        }
    }
}

impl From<LedgerConfig> for crate::LedgerConfig {
    fn from(stored: LedgerConfig) -> Self {
        Self {
            fifo: stored.fifo,
            delay_ms: stored.delay_ms,
            expiry_ms: stored.expiry_ms,
            ..Self::default()
        }
    }
}

impl From<StoredLifetime> for Lifetime {
    fn from(stored: StoredLifetime) -> Self {
        let (auto_delete, unused_ms_max) = match stored.unused {
            WhenUnused::Stays => (false, None),
            WhenUnused::GoesAtOnce => (true, None),
            WhenUnused::GoesAfter(ms) => (false, Some(ms)),
            WhenUnused::GoesAtOnceOrAfter(ms) => (true, Some(ms)),
        };
        Self {
            exclusive: stored.exclusive,
            auto_delete,
            unused_ms_max,
        }
    }
}
