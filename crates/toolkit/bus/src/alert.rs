//! Who is told that a message is dead.

mod webhook;

pub use webhook::{WebhookAlert, WebhookError};

use std::fmt::Debug;

use async_trait::async_trait;
use serde::Serialize;

use crate::Story;

/// Is told of each new dead letter, before the message is acknowledged: told again after a crash in
/// between. It can't fail; one that sends somewhere bounds its own time.
#[async_trait]
pub trait Alert: Debug + Send + Sync + 'static {
    /// A message became a dead letter.
    async fn dead(&self, notice: &DeadNotice);
}

/// What is told of a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadNotice {
    /// The letter's id, for [`crate::DeadLetters`].
    pub letter_id: String,
    /// The service.
    pub service: String,
    /// Its handler.
    pub handler: String,
    /// The message's id.
    pub message_id: String,
    /// The message's type, or nothing if it can't be read.
    pub message_type: String,
    /// The message's key, or nothing.
    pub key: String,
    /// Where it lay.
    pub origin: String,
    /// Its failures.
    pub story: Story,
}

/// Writes an error to the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogAlert;

#[async_trait]
impl Alert for LogAlert {
    async fn dead(&self, notice: &DeadNotice) {
        tracing::error!(
            letter_id = notice.letter_id,
            handler = notice.handler,
            reason = notice.story.reason,
            attempts = notice.story.attempts,
            origin = notice.origin,
            "dead letter: {}",
            notice.story.error
        );
    }
}
