//! TagQueue: adds tags to a queue, or gives tags that it has new values.
//!
//! - Fields: `QueueUrl`, `Tags`; answers nothing. At most 50 tags, keys of up to 128 characters,
//!   values of up to 256.
//! - A tag is a setting of the log's facet, its key behind `tag:`.
//! - Deviations: none.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_TagQueue.html>

use stele_core_broker::Action;
use stele_core_engine::{AlterLog, Settings};
use stele_wire_sqs::{Error, ErrorKind, Response, tag_queue};

use crate::{
    attributes::FACET,
    errors,
    front::{Context, Front},
    limits::{TAG_KEY_LENGTH_MAX, TAG_VALUE_LENGTH_MAX, TAGS_MAX},
};

/// What stands before a tag's key in the settings.
const PREFIX: &str = "tag:";

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: tag_queue::Request,
) -> Result<Response, Error> {
    if request.tags.is_empty() {
        return Err(Error::missing("Tags"));
    }
    alter(front, context, &request.queue_url, |settings, queue| {
        merge(settings, &request.tags, queue)
    })
    .await?;
    Ok(Response::TagQueue)
}

/// Changes the settings of a queue, whose name goes to `change` with them.
pub(super) async fn alter(
    front: &Front,
    context: &Context,
    url: &str,
    change: impl FnOnce(&mut Settings, &str) -> Result<(), Error>,
) -> Result<(), Error> {
    let _altering = front.altering.lock().await;
    front.queue(context, url, Action::Configure).await?;
    let definition = front.definition_at(context, url, Action::Configure)?;
    let mut settings = definition.facets.get(FACET).cloned().unwrap_or_default();
    change(&mut settings, &definition.name)?;
    let alter = AlterLog {
        settings: Some((FACET.into(), settings)),
        ..AlterLog::nothing(definition.id)
    };
    let altered = front.broker.alter_log(alter).await;
    altered.map_err(errors::of_broker)?;
    Ok(())
}

/// Puts tags among the settings of `queue`.
pub(super) fn merge(
    settings: &mut Settings,
    tags: &[(String, String)],
    queue: &str,
) -> Result<(), Error> {
    for (key, value) in tags {
        check(key, value)?;
        settings.insert(format!("{PREFIX}{key}").into(), value.as_str().into());
    }
    if tags_of(settings).count() > TAGS_MAX {
        return Err(invalid(format!("Too many tags added for queue {queue}.")));
    }
    Ok(())
}

/// Takes a tag from the settings, if it is there.
pub(super) fn remove(settings: &mut Settings, key: &str) {
    settings.remove(format!("{PREFIX}{key}").as_str());
}

/// The tags among the settings.
pub(super) fn tags_of(settings: &Settings) -> impl Iterator<Item = (&str, &str)> {
    settings
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, &**value)))
}

/// The refusal of a tag without a key, or with one that is too long.
pub(super) fn key_length() -> Error {
    invalid(format!(
        "Tag keys must be between 1 and {TAG_KEY_LENGTH_MAX} characters in length."
    ))
}

fn check(key: &str, value: &str) -> Result<(), Error> {
    if !(1..=TAG_KEY_LENGTH_MAX).contains(&key.chars().count()) {
        return Err(key_length());
    }
    if value.chars().count() > TAG_VALUE_LENGTH_MAX {
        return Err(invalid(format!(
            "Tag values must be at most {TAG_VALUE_LENGTH_MAX} characters."
        )));
    }
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(invalid(
            "Tag keys beginning with 'aws:' are reserved.".to_owned(),
        ));
    }
    Ok(())
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidParameterValue, message)
}
