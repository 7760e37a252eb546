//! The actions, one file each; [`each_action`] lists them.

mod cancel_message_move_task;
mod change_message_visibility;
mod change_message_visibility_batch;
mod create_queue;
mod delete_message;
mod delete_message_batch;
mod delete_queue;
mod get_queue_attributes;
mod get_queue_url;
mod list_dead_letter_source_queues;
mod list_message_move_tasks;
mod list_queue_tags;
mod list_queues;
mod not_offered;
mod purge_queue;
mod receive_message;
mod send_message;
mod send_message_batch;
mod set_queue_attributes;
mod start_message_move_task;
mod tag_queue;
mod untag_queue;

use stele_wire_sqs::{Action, Error, Request, Response, each_action};

use crate::front::{Context, Front};

/// The names that requests are counted by: the actions, then one for anything else.
pub(crate) const NAMES: [&str; Action::ALL.len() + 1] = {
    let mut names = ["unrecognized"; Action::ALL.len() + 1];
    let mut position = 0;
    while position < Action::ALL.len() {
        names[position] = Action::ALL[position].name();
        position += 1;
    }
    names
};

/// The position in [`NAMES`] of requests that couldn't be decoded or authenticated.
pub(crate) const UNRECOGNIZED: usize = Action::ALL.len();

/// Runs a request and counts it. Each operation is boxed: a connection reserves memory for any of
/// them, and most are larger than a wait for messages.
pub(crate) async fn run(
    front: &Front,
    context: &Context,
    request: Request,
) -> Result<Response, Error> {
    // The variants have the order of `ALL`.
    let position = request.action() as usize;
    front.meter.request(position, 1);
    let result = dispatch(front, context, request).await;
    if result.as_ref().map_or(true, has_failures) {
        front.meter.error(position, 1);
    }
    result
}

/// Whether a batch has failed partially.
fn has_failures(response: &Response) -> bool {
    match response {
        Response::ChangeMessageVisibilityBatch(it) => !it.failed.is_empty(),
        Response::DeleteMessageBatch(it) => !it.failed.is_empty(),
        Response::SendMessageBatch(it) => !it.failed.is_empty(),
        _ => false,
    }
}

macro_rules! dispatch {
    (
        [$($answering:ident($answering_module:ident)),+ $(,)?]
        [$($empty:ident($empty_module:ident)),+ $(,)?]
        $not_offered:tt
    ) => {
        async fn dispatch(
            front: &Front,
            context: &Context,
            request: Request,
        ) -> Result<Response, Error> {
            match request {
                $(Request::$answering(it) => {
                    Box::pin($answering_module::run(front, context, it)).await
                })+
                $(Request::$empty(it) => Box::pin($empty_module::run(front, context, it)).await,)+
                Request::NotOffered(action) => Err(not_offered::refuse(action)),
            }
        }
    };
}

each_action!(dispatch);

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

    #[test]
    fn the_page_has_a_row_for_every_action() {
        let page = include_str!("../../../../docs/protocols/sqs.md");
        let rows = page.lines().filter_map(|line| line.strip_prefix("| "));
        let named: Vec<_> = rows
            .filter_map(|row| row.split(" | ").next())
            .flat_map(|names| names.split(", "))
            .collect();
        for action in Action::ALL {
            assert!(named.contains(&action.name()), "{action} has no row");
        }
    }
}
