//! How long a client may keep what others wait for.

use std::time::Duration;

use stele_core_broker::{Kind, Memory};
use tokio::time::{Instant, sleep_until};

/// How long a client may take nothing of what is written to it, while memory for what is on its way
/// to clients is short. Long enough for a packet that is sent anew.
const STALL_WHEN_SHORT: Duration = Duration::from_secs(2);

/// Returns once a client that has taken nothing of what is written to it since `since` has had its
/// time: `calm`, or less where others wait for the memory.
pub async fn stalled(memory: &Memory, since: Instant, calm: Duration) {
    sleep_until(since + STALL_WHEN_SHORT.min(calm)).await;
    tokio::select! {
        () = memory.pressed(Kind::Responses) => {}
        () = memory.pressed(Kind::SmallResponses) => {}
        () = sleep_until(since + calm) => {}
    }
}
