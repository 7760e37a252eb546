//! ReceiveMessage: leases up to ten messages of a queue, and can wait for the first.
//!
//! Request: `QueueUrl`, `AttributeNames` (deprecated), `MessageSystemAttributeNames`,
//! `MessageAttributeNames`, `MaxNumberOfMessages`, `VisibilityTimeout`, `WaitTimeSeconds`,
//! `ReceiveRequestAttemptId`. Response: `Messages`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html>

use super::get_queue_attributes::ATTRIBUTE_NAMES;
use crate::{
    error::Error,
    members::{ListName, MapName, Members},
    message_attribute::{MESSAGE_ATTRIBUTES, MessageAttribute},
    writer::Writer,
};

const SYSTEM_ATTRIBUTE_NAMES: ListName = ListName {
    json: "MessageSystemAttributeNames",
    query: "MessageSystemAttributeName",
};
const MESSAGE_ATTRIBUTE_NAMES: ListName = ListName {
    json: "MessageAttributeNames",
    query: "MessageAttributeName",
};
const MESSAGES: ListName = ListName {
    json: "Messages",
    query: "Message",
};
const SYSTEM_ATTRIBUTES: MapName = MapName {
    json: "Attributes",
    query: "Attribute",
    key: "Name",
};

/// The request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The queue.
    pub queue_url: String,
    /// The requested system attributes, from both lists that may name them.
    pub system_attribute_names: Vec<String>,
    /// The requested message attributes.
    pub message_attribute_names: Vec<String>,
    /// The maximum number of messages, not yet checked.
    pub messages_max: Option<i32>,
    /// How long they are leased, not yet checked.
    pub visibility_timeout_s: Option<i32>,
    /// How long to wait for the first one, not yet checked.
    pub wait_time_s: Option<i32>,
    /// Identifies repeated requests (FIFO).
    pub attempt_id: Option<String>,
}

/// The response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The messages.
    pub messages: Vec<Message>,
}

/// A received message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub message_id: String,
    /// The handle to delete it with.
    pub receipt_handle: String,
    /// The digest of its body.
    pub md5_of_body: String,
    /// The body.
    pub body: String,
    /// The requested system attributes.
    pub system_attributes: Vec<(String, String)>,
    /// The digest of the attributes in this response, if any.
    pub md5_of_attributes: Option<String>,
    /// The requested attributes of the sender's.
    pub attributes: Vec<(String, MessageAttribute)>,
}

impl Request {
    pub(crate) fn read(members: &mut Members) -> Result<Self, Error> {
        let mut system_attribute_names = members.texts(ATTRIBUTE_NAMES)?;
        system_attribute_names.extend(members.texts(SYSTEM_ATTRIBUTE_NAMES)?);
        Ok(Self {
            queue_url: members.required_text("QueueUrl")?,
            system_attribute_names,
            message_attribute_names: members.texts(MESSAGE_ATTRIBUTE_NAMES)?,
            messages_max: members.integer("MaxNumberOfMessages")?,
            visibility_timeout_s: members.integer("VisibilityTimeout")?,
            wait_time_s: members.integer("WaitTimeSeconds")?,
            attempt_id: members.text("ReceiveRequestAttemptId")?,
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("QueueUrl", &self.queue_url);
        writer.texts(SYSTEM_ATTRIBUTE_NAMES, &self.system_attribute_names);
        writer.texts(MESSAGE_ATTRIBUTE_NAMES, &self.message_attribute_names);
        writer.optional_integer("MaxNumberOfMessages", self.messages_max);
        writer.optional_integer("VisibilityTimeout", self.visibility_timeout_s);
        writer.optional_integer("WaitTimeSeconds", self.wait_time_s);
        writer.optional_text("ReceiveRequestAttemptId", self.attempt_id.as_deref());
    }
}

impl Response {
    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.nonempty_list(MESSAGES, &self.messages, Message::write);
    }
}

impl Message {
    fn write(&self, writer: &mut impl Writer) {
        writer.text("MessageId", &self.message_id);
        writer.text("ReceiptHandle", &self.receipt_handle);
        writer.text("MD5OfBody", &self.md5_of_body);
        writer.text("Body", &self.body);
        if !self.system_attributes.is_empty() {
            writer.pairs(SYSTEM_ATTRIBUTES, &self.system_attributes);
        }
        writer.optional_text("MD5OfMessageAttributes", self.md5_of_attributes.as_deref());
        if !self.attributes.is_empty() {
            writer.map(
                MESSAGE_ATTRIBUTES,
                &self.attributes,
                MessageAttribute::write,
            );
        }
    }
}
