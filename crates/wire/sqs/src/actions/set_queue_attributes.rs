//! SetQueueAttributes: changes attributes of a queue.
//!
//! Request: `QueueUrl`, `Attributes`. Response: empty.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>

use crate::{
    error::Error,
    members::{MapName, Members},
    writer::Writer,
};

/// The map of a queue's attributes.
pub(crate) const QUEUE_ATTRIBUTES: MapName = MapName {
    json: "Attributes",
    query: "Attribute",
    key: "Name",
};

/// The request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The queue.
    pub queue_url: String,
    /// Names and values, not yet checked.
    pub attributes: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn read(members: &mut Members) -> Result<Self, Error> {
        Ok(Self {
            queue_url: members.required_text("QueueUrl")?,
            attributes: members
                .pairs(QUEUE_ATTRIBUTES)?
                .ok_or_else(|| Error::missing("Attributes"))?,
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("QueueUrl", &self.queue_url);
        writer.pairs(QUEUE_ATTRIBUTES, &self.attributes);
    }
}
