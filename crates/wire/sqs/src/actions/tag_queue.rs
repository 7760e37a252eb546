//! TagQueue: adds tags to a queue, or replaces the values of existing tags.
//!
//! Request: `QueueUrl`, `Tags`. Response: empty.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_TagQueue.html>

use crate::{
    error::Error,
    members::{MapName, Members},
    writer::Writer,
};

/// The map of a queue's tags.
pub(crate) const TAGS: MapName = MapName {
    json: "Tags",
    query: "Tag",
    key: "Key",
};

/// The request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The queue.
    pub queue_url: String,
    /// Keys and values.
    pub tags: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn read(members: &mut Members) -> Result<Self, Error> {
        Ok(Self {
            queue_url: members.required_text("QueueUrl")?,
            tags: members.pairs(TAGS)?.ok_or_else(|| Error::missing("Tags"))?,
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("QueueUrl", &self.queue_url);
        writer.pairs(TAGS, &self.tags);
    }
}
