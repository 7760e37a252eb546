//! SendMessageBatch: adds up to ten messages to a queue, each with its own outcome.
//!
//! Request: `QueueUrl`, `Entries` of `Id` and the members of SendMessage. Response: `Successful`,
//! `Failed`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>

use super::{
    batch::{Failure, read_entries, write_failures},
    send_message::{Message, Response as Sent},
};
use crate::{
    error::Error,
    members::{ListName, Members},
    writer::Writer,
};

const ENTRIES: ListName = ListName {
    json: "Entries",
    query: "SendMessageBatchRequestEntry",
};
const SUCCESSFUL: ListName = ListName {
    json: "Successful",
    query: "SendMessageBatchResultEntry",
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
    /// The message.
    pub message: Message,
}

/// The response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The entries that succeeded, with their ids.
    pub successful: Vec<(String, Sent)>,
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
            message: Message::read(members)?,
        })
    }

    fn write(&self, writer: &mut impl Writer) {
        writer.text("Id", &self.id);
        self.message.write(writer);
    }
}

impl Response {
    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.nonempty_list(SUCCESSFUL, &self.successful, |(id, sent), writer| {
            writer.text("Id", id);
            sent.write(writer);
        });
        write_failures(&self.failed, writer);
    }
}
