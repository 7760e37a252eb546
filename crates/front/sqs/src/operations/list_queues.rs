//! ListQueues: returns the URLs of the queues, paged.
//!
//! - Fields: `QueueNamePrefix`, `MaxResults` (1–1000), `NextToken`; returns `QueueUrls`,
//!   `NextToken`. As in AWS, `NextToken` is only returned if `MaxResults` was given; without it,
//!   the first 1000 are listed.
//! - Sorted by name. Logs created by other protocols are listed too, if a QueueUrl can contain
//!   their names and they aren't exclusive or auto-delete.
//! - Deviations: a new queue is listed immediately; in AWS it may be missing for a while.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListQueues.html>

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use stele_base_types::VHOST_DEFAULT;
use stele_wire_sqs::{Error, Response, list_queues};

use crate::{
    front::{Context, Front},
    limits::LIST_RESULTS,
    queue::is_shown,
};

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: list_queues::Request,
) -> Result<Response, Error> {
    let max = request.max_results.unwrap_or(*LIST_RESULTS.end());
    if !LIST_RESULTS.contains(&max) {
        let reason = "MaxResults must be an integer between 1 and 1000.";
        return Err(Error::invalid_value(max, "MaxResults", reason));
    }
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    let after = request.next_token.as_deref().map(after_token).transpose()?;
    let prefix = request.queue_name_prefix.as_deref().unwrap_or_default();

    let mut names = names(front, prefix, after.as_deref(), max);
    let is_last = names.len() <= max;
    names.truncate(max);
    let next_token = match (names.last(), request.max_results) {
        (Some(last), Some(_)) if !is_last => Some(BASE64.encode(last)),
        _ => None,
    };
    let queue_urls = names
        .iter()
        .map(|name| front.queue_url(context, name))
        .collect();
    Ok(Response::ListQueues(list_queues::Response {
        queue_urls,
        next_token,
    }))
}

/// The names of the page, plus the next name if there is one.
fn names(front: &Front, prefix: &str, after: Option<&str>, max: usize) -> Vec<String> {
    let catalogue = front.broker.catalogue();
    let logs = catalogue.logs(VHOST_DEFAULT, after);
    let shown =
        logs.filter(|definition| is_shown(definition) && definition.name.starts_with(prefix));
    shown
        .take(max + 1)
        .map(|definition| definition.name.as_str().to_owned())
        .collect()
}

/// The last name of the previous page.
fn after_token(token: &str) -> Result<String, Error> {
    let name = BASE64
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    name.ok_or_else(|| {
        Error::invalid_value("given", "NextToken", "It was not issued by this server.")
    })
}
