//! GetQueueAttributes: the attributes of a queue, both configured and computed ones.
//!
//! Request: `QueueUrl`, `AttributeNames`. Response: `Attributes`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html>

use super::set_queue_attributes::QUEUE_ATTRIBUTES;
use crate::{
    error::Error,
    members::{ListName, Members},
    writer::Writer,
};

/// The list of the requested attributes, here and in ReceiveMessage.
pub(crate) const ATTRIBUTE_NAMES: ListName = ListName {
    json: "AttributeNames",
    query: "AttributeName",
};

/// The request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The queue.
    pub queue_url: String,
    /// The requested attributes; `All` stands for every one, an empty list for none.
    pub attribute_names: Vec<String>,
}

/// The response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Names and values.
    pub attributes: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn read(members: &mut Members) -> Result<Self, Error> {
        Ok(Self {
            queue_url: members.required_text("QueueUrl")?,
            attribute_names: members.texts(ATTRIBUTE_NAMES)?,
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("QueueUrl", &self.queue_url);
        writer.texts(ATTRIBUTE_NAMES, &self.attribute_names);
    }
}

impl Response {
    pub(crate) fn write(&self, writer: &mut impl Writer) {
        if !self.attributes.is_empty() {
            writer.pairs(QUEUE_ATTRIBUTES, &self.attributes);
        }
    }
}
