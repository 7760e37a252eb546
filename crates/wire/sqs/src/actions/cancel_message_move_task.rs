//! CancelMessageMoveTask: stops a task that moves messages.
//!
//! Request: `TaskHandle`. Response: `ApproximateNumberOfMessagesMoved`.
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CancelMessageMoveTask.html>

use crate::{error::Error, members::Members, writer::Writer};

/// The request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// The handle of the task.
    pub task_handle: String,
}

/// The response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// How many messages it has moved.
    pub moved: i64,
}

impl Request {
    pub(crate) fn read(members: &mut Members) -> Result<Self, Error> {
        Ok(Self {
            task_handle: members.required_text("TaskHandle")?,
        })
    }

    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.text("TaskHandle", &self.task_handle);
    }
}

impl Response {
    pub(crate) fn write(&self, writer: &mut impl Writer) {
        writer.integer("ApproximateNumberOfMessagesMoved", self.moved);
    }
}
