//! GetQueueUrl: the URL of a queue, by name.
//!
//! Request: `QueueName`, `QueueOwnerAWSAccountId`. Response: `QueueUrl`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueUrl.html>

use crate::{error::Error, members::Members, writer::Writer};

/// The request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The name, not yet checked.
    pub queue_name: String,
    /// The account that owns the queue.
    pub owner_account_id: Option<String>,
}

/// The response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The URL of the queue.
    pub queue_url: String,
}

impl Request {
    pub(crate) fn read(members: &mut Members) -> Result<Self, Error> {
        Ok(Self {
            queue_name: members.required_text("QueueName")?,
            owner_account_id: members.text("QueueOwnerAWSAccountId")?,
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("QueueName", &self.queue_name);
        writer.optional_text("QueueOwnerAWSAccountId", self.owner_account_id.as_deref());
    }
}

impl Response {
    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("QueueUrl", &self.queue_url);
    }
}
