//! CreateQueue: creates a queue, or returns the URL of an existing one with the same attributes.
//!
//! Request: `QueueName`, `Attributes`, `tags`. Response: `QueueUrl`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>

use super::set_queue_attributes::QUEUE_ATTRIBUTES;
use crate::{
    error::Error,
    members::{MapName, Members},
    writer::Writer,
};

/// The tags; only CreateQueue spells them in lower case in JSON.
const TAGS: MapName = MapName {
    json: "tags",
    query: "Tag",
    key: "Key",
};

/// The request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The name, not yet checked.
    pub queue_name: String,
    /// Names and values, not yet checked.
    pub attributes: Vec<(String, String)>,
    /// Keys and values.
    pub tags: Vec<(String, String)>,
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
            attributes: members.pairs(QUEUE_ATTRIBUTES)?.unwrap_or_default(),
            tags: members.pairs(TAGS)?.unwrap_or_default(),
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("QueueName", &self.queue_name);
        writer.pairs(QUEUE_ATTRIBUTES, &self.attributes);
        writer.pairs(TAGS, &self.tags);
    }
}

impl Response {
    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("QueueUrl", &self.queue_url);
    }
}
