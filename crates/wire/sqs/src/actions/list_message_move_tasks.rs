//! ListMessageMoveTasks: the most recent tasks that move the messages of a queue.
//!
//! Request: `SourceArn`, `MaxResults`. Response: `Results`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasks.html>

use crate::{
    error::Error,
    members::{ListName, Members},
    writer::Writer,
};

const RESULTS: ListName = ListName {
    json: "Results",
    query: "ListMessageMoveTasksResultEntry",
};

/// The request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The dead-letter queue.
    pub source_arn: String,
    /// The maximum number of tasks.
    pub max_results: Option<i32>,
}

/// The response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The tasks, the most recent first.
    pub results: Vec<Task>,
}

/// A task.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// Its handle, if it is running.
    pub task_handle: Option<String>,
    /// Its status.
    pub status: String,
    /// The queue that the messages come from.
    pub source_arn: String,
    /// The queue that gets them, if it was given.
    pub destination_arn: Option<String>,
    /// The maximum number per second, if it was given.
    pub per_second_max: Option<i32>,
    /// How many messages it has moved.
    pub moved: i64,
    /// How many there were to move when it started.
    pub to_move: Option<i64>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// When it started, in milliseconds since 1970.
    pub started: i64,
}

impl Request {
    pub(crate) fn read(members: &mut Members) -> Result<Self, Error> {
        Ok(Self {
            source_arn: members.required_text("SourceArn")?,
            max_results: members.integer("MaxResults")?,
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("SourceArn", &self.source_arn);
        writer.optional_integer("MaxResults", self.max_results);
    }
}

impl Response {
    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.nonempty_list(RESULTS, &self.results, Task::write);
    }
}

impl Task {
    fn write(&self, writer: &mut impl Writer) {
        writer.optional_text("TaskHandle", self.task_handle.as_deref());
        writer.text("Status", &self.status);
        writer.text("SourceArn", &self.source_arn);
        writer.optional_text("DestinationArn", self.destination_arn.as_deref());
        writer.optional_integer("MaxNumberOfMessagesPerSecond", self.per_second_max);
        writer.integer("ApproximateNumberOfMessagesMoved", self.moved);
        if let Some(to_move) = self.to_move {
            writer.integer("ApproximateNumberOfMessagesToMove", to_move);
        }
        writer.optional_text("FailureReason", self.failure_reason.as_deref());
        writer.integer("StartedTimestamp", self.started);
    }
}
