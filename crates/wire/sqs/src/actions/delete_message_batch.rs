//! DeleteMessageBatch: deletes up to ten received messages.
//!
//! Request: `QueueUrl`, `Entries` of `Id`, `ReceiptHandle`.
//! Response: `Successful`, `Failed`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteMessageBatch.html>

use super::batch::{Failure, read_entries, write_failures, write_ids};
use crate::{
    error::Error,
    members::{ListName, Members},
    writer::Writer,
};

const ENTRIES: ListName = ListName {
    json: "Entries",
    query: "DeleteMessageBatchRequestEntry",
};
const SUCCESSFUL: ListName = ListName {
    json: "Successful",
    query: "DeleteMessageBatchResultEntry",
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
        })
    }

    fn write(&self, writer: &mut impl Writer) {
        writer.text("Id", &self.id);
        writer.text("ReceiptHandle", &self.receipt_handle);
    }
}

impl Response {
    pub(crate) fn write(&self, writer: &mut impl Writer) {
        write_ids(SUCCESSFUL, &self.successful, writer);
        write_failures(&self.failed, writer);
    }
}
