//! UntagQueue: removes tags from a queue.
//!
//! Request: `QueueUrl`, `TagKeys`. Response: empty.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_UntagQueue.html>

use crate::{
    error::Error,
    members::{ListName, Members},
    writer::Writer,
};

const TAG_KEYS: ListName = ListName {
    json: "TagKeys",
    query: "TagKey",
};

/// The request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The queue.
    pub queue_url: String,
    /// The keys of the tags to remove.
    pub tag_keys: Vec<String>,
}

impl Request {
    pub(crate) fn read(members: &mut Members) -> Result<Self, Error> {
        Ok(Self {
            queue_url: members.required_text("QueueUrl")?,
            tag_keys: members.texts(TAG_KEYS)?,
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("QueueUrl", &self.queue_url);
        writer.texts(TAG_KEYS, &self.tag_keys);
    }
}
