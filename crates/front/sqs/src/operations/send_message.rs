//! SendMessage: sends a message to a queue.
//!
//! - Fields: all of the API; returns `MessageId`, the digests and, for FIFO, `SequenceNumber`.
//! - The response is sent when the message is on disk. For a message that a FIFO queue recognises
//!   as a duplicate, it has the original `MessageId`.
//! - `MessageSystemAttributes`: `AWSTraceHeader`, which defaults to the request's header
//!   `X-Amzn-Trace-Id`.
//! - Deviations: attribute names that begin with `stele.` are reserved.
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
        .ok_or_else(|| errors::internal(&"no reply to an append"))?;
    Ok(Response::SendMessage(
        message.into_response(&queue, appended, 0),
    ))
}
