//! What the tests share: databases, a clock that tests set, messages, and where they are sent.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses a part of it"
)]

mod clock;
pub(crate) mod home;
mod messages;
mod sink;

use std::time::Duration;

pub(crate) use clock::Hands;
pub(crate) use home::Home;
pub(crate) use messages::{claim, event, incoming, story};
pub(crate) use sink::Sink;

/// Returns once the condition holds.
pub(crate) async fn until(mut holds: impl AsyncFnMut() -> bool) {
    const PATIENCE: Duration = Duration::from_secs(120);
    let wait = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let came = tokio::time::timeout(PATIENCE, wait).await;
    came.expect("it comes true in time");
}
