//! ChangeMessageVisibilityBatch: changes the deadlines of up to ten received messages.
//!
//! Request: `QueueUrl`, `Entries` of `Id`, `ReceiptHandle`, `VisibilityTimeout`.
//! Response: `Successful`, `Failed`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibilityBatch.html>

use super::batch::{Failure, read_entries, write_failures, write_ids};
use crate::{
    error::Error,
    members::{ListName, Members},
    writer::Writer,
};

const ENTRIES: ListName = ListName {
    json: "Entries",
    query: "ChangeMessageVisibilityBatchRequestEntry",
};
const SUCCESSFUL: ListName = ListName {
    json: "Successful",
    query: "ChangeMessageVisibilityBatchResultEntry",
};

/// The request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The queue.
    pub queue_url: String,
    /// The entries; their ids and their number aren't checked yet.
    pub entries: Vec<Entry>,
}

/// One entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The entry's id in the response.
    pub id: String,
    /// The message's receipt handle.
    pub receipt_handle: String,
    /// Seconds from now, not yet checked. AWS accepts an entry without it in the request, and then
    /// fails the entry.
    pub visibility_timeout_s: Option<i32>,
}

/// The response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The ids of the entries that succeeded.
    pub successful: Vec<String>,
    /// The entries that failed.
    pub failed: Vec<Failure>,
}

impl Request {
    pub(crate) fn read(members: &mut Members) -> Result<Self, Error> {
        Ok(Self {
            queue_url: members.required_text("QueueUrl")?,
            entries: read_entries(members, ENTRIES, Entry::read)?,
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("QueueUrl", &self.queue_url);
        writer.list(ENTRIES, &self.entries, Entry::write);
    }
}

impl Entry {
    fn read(members: &mut Members) -> Result<Self, Error> {
        Ok(Self {
            id: members.required_text("Id")?,
            receipt_handle: members.required_text("ReceiptHandle")?,
            visibility_timeout_s: members.integer("VisibilityTimeout")?,
        })
    }

    fn write(&self, writer: &mut impl Writer) {
        writer.text("Id", &self.id);
        writer.text("ReceiptHandle", &self.receipt_handle);
        writer.optional_integer("VisibilityTimeout", self.visibility_timeout_s);
    }
}

impl Response {
    pub(crate) fn write(&self, writer: &mut impl Writer) {
        write_ids(SUCCESSFUL, &self.successful, writer);
        write_failures(&self.failed, writer);
    }
}
