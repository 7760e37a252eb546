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
use stele_core_engine::LogDefinition;
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
    let prefix = request.queue_name_prefix.as_deref().unwrap_or_default();
    let is_wanted = |definition: &LogDefinition| definition.name.starts_with(prefix);
    let (max, after) = (request.max_results, request.next_token.as_deref());
    let (queue_urls, next_token) = page(front, context, max, after, is_wanted)?;
    Ok(Response::ListQueues(list_queues::Response {
        queue_urls,
        next_token,
    }))
}

/// The URLs of a page of the queues that are wanted, and the token of the next page if there is
/// one.
pub(super) fn page(
    front: &Front,
    context: &Context,
    max_results: Option<i32>,
    next_token: Option<&str>,
    is_wanted: impl Fn(&LogDefinition) -> bool,
) -> Result<(Vec<String>, Option<String>), Error> {
    let max = max_results.unwrap_or(*LIST_RESULTS.end());
    if !LIST_RESULTS.contains(&max) {
        let reason = "MaxResults must be an integer between 1 and 1000.";
        return Err(Error::invalid_value(max, "MaxResults", reason));
    }
    let max = usize::try_from(max).unwrap_or(usize::MAX);
    let after = next_token.map(after_token).transpose()?;

    let mut names = names(front, after.as_deref(), max, is_wanted);
    let is_last = names.len() <= max;
    names.truncate(max);
    let next_token = match (names.last(), max_results) {
        (Some(last), Some(_)) if !is_last => Some(BASE64.encode(last)),
        _ => None,
    };
    let urls = names.iter().map(|name| front.queue_url(context, name));
    Ok((urls.collect(), next_token))
}

/// The names of the page, plus the next name if there is one.
fn names(
    front: &Front,
    after: Option<&str>,
    max: usize,
    is_wanted: impl Fn(&LogDefinition) -> bool,
) -> Vec<String> {
    let catalogue = front.broker.catalogue();
    let logs = catalogue.logs(VHOST_DEFAULT, after);
    let shown = logs.filter(|definition| is_shown(definition) && is_wanted(definition));
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
