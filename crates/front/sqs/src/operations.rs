//! One file per action, and which action is whose.

mod change_message_visibility;
mod change_message_visibility_batch;
mod create_queue;
mod delete_message;
mod delete_message_batch;
mod delete_queue;
mod get_queue_attributes;
mod get_queue_url;
mod list_queue_tags;
mod list_queues;
mod not_offered;
mod purge_queue;
mod receive_message;
mod send_message;
mod send_message_batch;
mod set_queue_attributes;
mod tag_queue;
mod untag_queue;

use stele_wire_sqs::{Action, Error, Request, Response};

use crate::front::{Context, Front};

/// What requests are counted by: the actions, and behind them whatever is none.
pub(crate) const NAMES: [&str; Action::ALL.len() + 1] = {
    let mut names = ["unrecognized"; Action::ALL.len() + 1];
    let mut position = 0;
    while position < Action::ALL.len() {
        names[position] = Action::ALL[position].name();
        position += 1;
    }
    names
};

/// The position among [`NAMES`] of a request that couldn't be read or whose sender is unknown.
pub(crate) const UNRECOGNIZED: usize = Action::ALL.len();

/// Does what a request asks, and counts it.
pub(crate) async fn run(
    front: &Front,
    context: &Context,
    request: Request,
) -> Result<Response, Error> {
    // The variants are in the order of `ALL`.
    let position = request.action() as usize;
    front.meter.request(position, 1);
    let result = dispatch(front, context, request).await;
    if result.as_ref().map_or(true, has_failures) {
        front.meter.error(position, 1);
    }
    result
}

/// Whether a batch has been refused in part.
fn has_failures(response: &Response) -> bool {
    match response {
        Response::ChangeMessageVisibilityBatch(it) => !it.failed.is_empty(),
        Response::DeleteMessageBatch(it) => !it.failed.is_empty(),
        Response::SendMessageBatch(it) => !it.failed.is_empty(),
        _ => false,
    }
}

async fn dispatch(front: &Front, context: &Context, request: Request) -> Result<Response, Error> {
    match request {
        Request::ChangeMessageVisibility(r) => {
            change_message_visibility::run(front, context, r).await
        }
        Request::ChangeMessageVisibilityBatch(r) => {
            change_message_visibility_batch::run(front, context, r).await
        }
        Request::CreateQueue(r) => create_queue::run(front, context, r).await,
        Request::DeleteMessage(r) => delete_message::run(front, context, r).await,
        Request::DeleteMessageBatch(r) => delete_message_batch::run(front, context, r).await,
        Request::DeleteQueue(r) => delete_queue::run(front, context, r).await,
        Request::GetQueueAttributes(r) => get_queue_attributes::run(front, context, r).await,
        Request::GetQueueUrl(r) => get_queue_url::run(front, context, &r),
        Request::ListQueueTags(r) => list_queue_tags::run(front, context, &r),
        Request::ListQueues(r) => list_queues::run(front, context, &r),
        Request::PurgeQueue(r) => purge_queue::run(front, context, r).await,
        Request::ReceiveMessage(r) => receive_message::run(front, context, r).await,
        Request::SendMessage(r) => send_message::run(front, context, r).await,
        Request::SendMessageBatch(r) => send_message_batch::run(front, context, r).await,
        Request::SetQueueAttributes(r) => set_queue_attributes::run(front, context, r).await,
        Request::TagQueue(r) => tag_queue::run(front, context, r).await,
        Request::UntagQueue(r) => untag_queue::run(front, context, r).await,
        Request::NotOffered(action) => Err(not_offered::refuse(action)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_counted_under_its_name() {
        for action in Action::ALL {
            assert_eq!(NAMES[*action as usize], action.name());
        }
        assert_eq!(NAMES[UNRECOGNIZED], "unrecognized");
    }
}
