//! ListQueues: the URLs of the queues, page by page.
//!
//! Request: `QueueNamePrefix`, `MaxResults`, `NextToken`. Response: `QueueUrls`, `NextToken`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html>

use crate::{
    error::Error,
    members::{ListName, Members},
    writer::Writer,
};

const QUEUE_URLS: ListName = ListName {
    json: "QueueUrls",
    query: "QueueUrl",
};

/// The request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The prefix of the requested names.
    pub queue_name_prefix: Option<String>,
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
            queue_name_prefix: members.text("QueueNamePrefix")?,
            max_results: members.integer("MaxResults")?,
            next_token: members.text("NextToken")?,
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.optional_text("QueueNamePrefix", self.queue_name_prefix.as_deref());
        writer.optional_integer("MaxResults", self.max_results);
        writer.optional_text("NextToken", self.next_token.as_deref());
    }
}

impl Response {
    pub(crate) fn write(&self, writer: &mut impl Writer) {
        if !self.queue_urls.is_empty() {
            writer.texts(QUEUE_URLS, &self.queue_urls);
        }
        writer.optional_text("NextToken", self.next_token.as_deref());
    }
}
