//! ListQueueTags: the tags of a queue.
//!
//! Request: `QueueUrl`. Response: `Tags`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueueTags.html>

use super::tag_queue::TAGS;
use crate::{error::Error, members::Members, writer::Writer};

/// The request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The queue.
    pub queue_url: String,
}

/// The response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// Keys and values.
    pub tags: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn read(members: &mut Members) -> Result<Self, Error> {
        Ok(Self {
            queue_url: members.required_text("QueueUrl")?,
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("QueueUrl", &self.queue_url);
    }
}

impl Response {
    pub(crate) fn write(&self, writer: &mut impl Writer) {
        if !self.tags.is_empty() {
            writer.pairs(TAGS, &self.tags);
        }
    }
}
