//! ListMessageMoveTasks: returns the last tasks that moved messages of a queue.
//!
//! - Fields: `SourceArn`, `MaxResults` (1–10, by default 1); returns `Results`, the most recent
//!   first. Only a running task has a `TaskHandle`.
//! - The counts are exact, except that after a crash `ApproximateNumberOfMessagesMoved` may include
//!   messages that were deleted meanwhile.
//! - Deviations: none.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasks.html>

use stele_core_broker::Action;
use stele_wire_sqs::{Error, Response, list_message_move_tasks};

use super::start_message_move_task::{handle_of, invalid, queue_at};
use crate::{
    front::{Context, Front},
    limits::MOVE_TASKS_MAX,
    move_tasks::{Status, tasks_of},
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: list_message_move_tasks::Request,
) -> Result<Response, Error> {
    let source_arn = &request.source_arn;
    let source = queue_at(front, context, source_arn, "SourceArn", Action::Describe)?;
    let max = usize::try_from(request.max_results.unwrap_or(1)).unwrap_or(0);
    if !(1..=MOVE_TASKS_MAX).contains(&max) {
        return Err(invalid(
            "Value for parameter MaxResults is invalid. Reason: You must enter a number that's \
             between 1 and 10.",
        ));
    }
    let shown = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let tasks = tasks_of(&source).into_iter().take(max).map(|task| {
        let is_running = task.status == Status::Running;
        list_message_move_tasks::Task {
            task_handle: is_running.then(|| handle_of(&task.id, source_arn)),
            status: task.status.name().to_owned(),
            source_arn: source_arn.clone(),
            per_second_max: task
                .per_second_max
                .and_then(|rate| i32::try_from(rate).ok()),
            moved: shown(front.settings.moves.moved(source.id, &task)),
            to_move: Some(shown(task.to_move)),
            destination_arn: task.destination,
            failure_reason: task.failure,
            started: task.started_ms,
        }
    });
    Ok(Response::ListMessageMoveTasks(
        list_message_move_tasks::Response {
            results: tasks.collect(),
        },
    ))
}
