//! SendMessage: puts a message into a queue.
//!
//! - Fields: all of the API; answers `MessageId`, the digests and, for FIFO, `SequenceNumber`.
//! - Answered when the message is on disk. The same `MessageId` is answered for a message that a
//!   FIFO queue recognises as sent before.
//! - `MessageSystemAttributes`: `AWSTraceHeader`, which is the header `X-Amzn-Trace-Id` of the
//!   request where it isn't given.
//! - Deviations: attribute names beginning with `stele.` are reserved.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>

use stele_core_broker::Action;
use stele_wire_sqs::{Error, Response, send_message};

use crate::{
    errors,
    front::{Context, Front},
    outgoing::{self, Outgoing},
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: send_message::Request,
) -> Result<Response, Error> {
    let queue = front
        .queue(context, &request.queue_url, Action::Write)
        .await?;
    let message = Outgoing::new(&queue, request.message, context)?;
    let publish = outgoing::publish(&queue, std::iter::once(&message), front.now())?;
    let appended = front
        .broker
        .append(publish)
        .await
        .map_err(errors::of_broker)?;
    let appended = appended
        .first()
        .ok_or_else(|| errors::internal(&"an append without answer"))?;
    Ok(Response::SendMessage(
        message.into_response(&queue, appended, 0),
    ))
}
