//! SendMessage: adds a message to a queue.
//!
//! Request: `QueueUrl`, `MessageBody`, `DelaySeconds`, `MessageAttributes`,
//! `MessageSystemAttributes`, `MessageDeduplicationId`, `MessageGroupId`.
//! Response: `MessageId`, `MD5OfMessageBody`, `MD5OfMessageAttributes`,
//! `MD5OfMessageSystemAttributes`, `SequenceNumber`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>

use crate::{
    error::Error,
    members::Members,
    message_attribute::{AttributeInput, MESSAGE_ATTRIBUTES, SYSTEM_ATTRIBUTES},
    writer::Writer,
};

/// The request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The queue.
    pub queue_url: String,
    /// The message.
    pub message: Message,
}

/// A message as sent, alone or in a batch; nothing in it is checked yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The body.
    pub body: String,
    /// Seconds until it can be received; by default the queue's own delay.
    pub delay_s: Option<i32>,
    /// The sender's attributes.
    pub attributes: Vec<(String, AttributeInput)>,
    /// Attributes for SQS itself.
    pub system_attributes: Vec<(String, AttributeInput)>,
    /// Identifies repeated messages (FIFO).
    pub deduplication_id: Option<String>,
    /// The group within which order is preserved.
    pub group_id: Option<String>,
}

/// The response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The message's id.
    pub message_id: String,
    /// The digest of its body.
    pub md5_of_body: String,
    /// The digest of its attributes, if any.
    pub md5_of_attributes: Option<String>,
    /// The digest of its system attributes, if any.
    pub md5_of_system_attributes: Option<String>,
    /// Its position among the messages of its group (FIFO).
    pub sequence_number: Option<String>,
}

impl Request {
    pub(crate) fn read(members: &mut Members) -> Result<Self, Error> {
        Ok(Self {
            queue_url: members.required_text("QueueUrl")?,
            message: Message::read(members)?,
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("QueueUrl", &self.queue_url);
        self.message.write(writer);
    }
}

impl Message {
    /// The size that counts towards the limits of a message and of a batch: the body, and each
    /// attribute's name, type and value.
    pub fn size_bytes(&self) -> usize {
        let of_attributes = self
            .attributes
            .iter()
            .map(|(name, input)| name.len() + input.size_bytes());
        self.body.len() + of_attributes.sum::<usize>()
    }

    pub(crate) fn read(members: &mut Members) -> Result<Self, Error> {
        Ok(Self {
            body: members.required_text("MessageBody")?,
            delay_s: members.integer("DelaySeconds")?,
            attributes: AttributeInput::read_map(members, MESSAGE_ATTRIBUTES)?,
            system_attributes: AttributeInput::read_map(members, SYSTEM_ATTRIBUTES)?,
            deduplication_id: members.text("MessageDeduplicationId")?,
            group_id: members.text("MessageGroupId")?,
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("MessageBody", &self.body);
        writer.optional_integer("DelaySeconds", self.delay_s);
        writer.map(MESSAGE_ATTRIBUTES, &self.attributes, AttributeInput::write);
        writer.map(
            SYSTEM_ATTRIBUTES,
            &self.system_attributes,
            AttributeInput::write,
        );
        writer.optional_text("MessageDeduplicationId", self.deduplication_id.as_deref());
        writer.optional_text("MessageGroupId", self.group_id.as_deref());
    }
}

impl Response {
    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("MessageId", &self.message_id);
        writer.text("MD5OfMessageBody", &self.md5_of_body);
        writer.optional_text("MD5OfMessageAttributes", self.md5_of_attributes.as_deref());
        writer.optional_text(
            "MD5OfMessageSystemAttributes",
            self.md5_of_system_attributes.as_deref(),
        );
        writer.optional_text("SequenceNumber", self.sequence_number.as_deref());
    }
}
