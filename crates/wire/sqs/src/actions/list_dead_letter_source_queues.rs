//! ListDeadLetterSourceQueues: the URLs of the queues that use a queue as their dead-letter queue,
//! page by page.
//!
//! Request: `QueueUrl`, `MaxResults`, `NextToken`. Response: `queueUrls`, `NextToken`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListDeadLetterSourceQueues.html>

use crate::{
    error::Error,
    members::{ListName, Members},
    writer::Writer,
};

/// The URLs; only this action spells them in lower case in JSON.
const QUEUE_URLS: ListName = ListName {
    json: "queueUrls",
    query: "QueueUrl",
};

/// The request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The dead-letter queue.
    pub queue_url: String,
    /// The maximum number of URLs; the response is paged only if it is given.
    pub max_results: Option<i32>,
    /// The end of the previous page.
    pub next_token: Option<String>,
}

/// The response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The URLs.
    pub queue_urls: Vec<String>,
    /// The start of the next page; `None` after the last.
    pub next_token: Option<String>,
}

impl Request {
    pub(crate) fn read(members: &mut Members) -> Result<Self, Error> {
        Ok(Self {
            queue_url: members.required_text("QueueUrl")?,
            max_results: members.integer("MaxResults")?,
            next_token: members.text("NextToken")?,
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("QueueUrl", &self.queue_url);
        writer.optional_integer("MaxResults", self.max_results);
        writer.optional_text("NextToken", self.next_token.as_deref());
    }
}

impl Response {
    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.texts(QUEUE_URLS, &self.queue_urls);
        writer.optional_text("NextToken", self.next_token.as_deref());
    }
}
