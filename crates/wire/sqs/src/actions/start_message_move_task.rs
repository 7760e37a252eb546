//! StartMessageMoveTask: moves the messages of a dead-letter queue back, or to another queue.
//!
//! Request: `SourceArn`, `DestinationArn`, `MaxNumberOfMessagesPerSecond`. Response: `TaskHandle`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html>

use crate::{error::Error, members::Members, writer::Writer};

/// The request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The dead-letter queue.
    pub source_arn: String,
    /// The queue that gets the messages; by default, each returns to where it came from.
    pub destination_arn: Option<String>,
    /// The maximum number of messages moved per second.
    pub per_second_max: Option<i32>,
}

/// The response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The handle that cancels the task.
    pub task_handle: String,
}

impl Request {
    pub(crate) fn read(members: &mut Members) -> Result<Self, Error> {
        Ok(Self {
            source_arn: members.required_text("SourceArn")?,
            destination_arn: members.text("DestinationArn")?,
            per_second_max: members.integer("MaxNumberOfMessagesPerSecond")?,
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("SourceArn", &self.source_arn);
        writer.optional_text("DestinationArn", self.destination_arn.as_deref());
        writer.optional_integer("MaxNumberOfMessagesPerSecond", self.per_second_max);
    }
}

impl Response {
    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("TaskHandle", &self.task_handle);
    }
}
