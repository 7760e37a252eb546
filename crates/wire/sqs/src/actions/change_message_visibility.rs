//! ChangeMessageVisibility: changes the deadline of a received message.
//!
//! Request: `QueueUrl`, `ReceiptHandle`, `VisibilityTimeout`. Response: empty.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html>

use crate::{error::Error, members::Members, writer::Writer};

/// The request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The queue.
    pub queue_url: String,
    /// The message's receipt handle.
    pub receipt_handle: String,
    /// Seconds from now, not yet checked; 0 returns the message at once.
    pub visibility_timeout_s: i32,
}

impl Request {
    pub(crate) fn read(members: &mut Members) -> Result<Self, Error> {
        Ok(Self {
            queue_url: members.required_text("QueueUrl")?,
            receipt_handle: members.required_text("ReceiptHandle")?,
            visibility_timeout_s: members
                .integer("VisibilityTimeout")?
                .ok_or_else(|| Error::missing("VisibilityTimeout"))?,
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("QueueUrl", &self.queue_url);
        writer.text("ReceiptHandle", &self.receipt_handle);
        writer.integer("VisibilityTimeout", self.visibility_timeout_s.into());
    }
}
