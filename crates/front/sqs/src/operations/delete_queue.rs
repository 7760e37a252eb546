//! DeleteQueue: deletes a queue and its messages.
//!
//! - Fields: `QueueUrl`; the response is empty.
//! - The log is deleted for all protocols. Its name is available immediately.
//! - Deviations: AWS reserves the name for a minute.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_DeleteQueue.html>

use stele_core_broker::Action;
use stele_core_engine::DeleteLog;
use stele_wire_sqs::{Error, Response, delete_queue};

use crate::{
    errors,
    front::{Context, Front},
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: delete_queue::Request,
) -> Result<Response, Error> {
    let definition = front.definition_at(context, &request.queue_url, Action::Delete)?;
    let delete = front.broker.delete_log(DeleteLog::anyway(definition.id));
    delete.await.map_err(errors::of_broker)?;
    Ok(Response::DeleteQueue)
}
