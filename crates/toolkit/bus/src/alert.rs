//! Who is told that a message is dead.

mod webhook;

pub use webhook::{WebhookAlert, WebhookError};

use std::fmt::Debug;

use async_trait::async_trait;
use serde::Serialize;

use crate::Story;

/// Is told what a person should look at. It can't fail; one that sends somewhere bounds its own
/// time.
#[async_trait]
pub trait Alert: Debug + Send + Sync + 'static {
    /// A message became a dead letter. Told before the message is acknowledged: again after a crash
    /// in between.
    async fn dead(&self, notice: &DeadNotice);

    /// Something else doesn't go on by itself, such as a saga whose step isn't done after many
    /// attempts. By default nobody is told.
    async fn notice(&self, _notice: &Notice) {}
}

/// What is told of something that isn't a dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// The service.
    pub service: String,
    /// What doesn't go on: `place-order o-1`.
    pub subject: String,
    /// What is wrong with it, for people.
    pub text: String,
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

    async fn notice(&self, notice: &Notice) {
        let (service, subject) = (&notice.service, &notice.subject);
        tracing::error!(service, subject, "{}", notice.text);
    }
}
