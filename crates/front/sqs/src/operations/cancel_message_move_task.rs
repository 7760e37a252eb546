//! CancelMessageMoveTask: stops a task that moves messages. What it has moved stays where it is.
//!
//! - Fields: `TaskHandle`; returns `ApproximateNumberOfMessagesMoved`. Only a running task can be
//!   cancelled.
//! - Deviations: none.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CancelMessageMoveTask.html>

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde_json::Value;
use stele_core_broker::Action;
use stele_wire_sqs::{Error, ErrorKind, Response, cancel_message_move_task};

use super::start_message_move_task::{invalid, queue_at};
use crate::{
    front::{Context, Front},
    move_tasks::{self, Status},
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: cancel_message_move_task::Request,
) -> Result<Response, Error> {
    let Some((id, source_arn)) = read_handle(&request.task_handle) else {
        return Err(invalid("Value for parameter TaskHandle is invalid."));
    };
    let source = queue_at(front, context, &source_arn, "SourceArn", Action::Consume)?;
    let cancelled = move_tasks::alter(&front.broker, source.id, |tasks| {
        let task = tasks.iter_mut().find(|task| task.id == id);
        let task =
            task.ok_or_else(|| Error::new(ErrorKind::ResourceNotFound, "Task does not exist."))?;
        if task.status != Status::Running {
            return Err(Error::new(
                ErrorKind::UnsupportedOperation,
                "Only a task that is running can be cancelled.",
            ));
        }
        task.status = Status::Cancelling;
        Ok(task.clone())
    });
    let task = cancelled.await?;
    front.settings.moves.tell();
    let moved = front.settings.moves.moved(source.id, &task);
    Ok(Response::CancelMessageMoveTask(
        cancel_message_move_task::Response {
            moved: i64::try_from(moved).unwrap_or(i64::MAX),
        },
    ))
}

/// The task's id and the ARN of its source.
fn read_handle(handle: &str) -> Option<(String, String)> {
    let handle: Value = serde_json::from_slice(&BASE64.decode(handle).ok()?).ok()?;
    let member = |name| handle.get(name)?.as_str().map(str::to_owned);
    Some((member("taskId")?, member("sourceArn")?))
}
