//! TagQueue: adds tags to a queue, or changes the values of existing tags.
//!
//! - Fields: `QueueUrl`, `Tags`; the response is empty. At most 50 tags, keys of up to 128
//!   characters, values of up to 256.
//! - A tag is a setting of the log's facet, named `tag:` and its key.
//! - Deviations: none.
//! - Spec: <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_TagQueue.html>

use stele_core_engine::{AlterLog, LogDefinition, Settings, SettingsChange, alter_settings};
use stele_wire_sqs::{Error, ErrorKind, Response, tag_queue};

use crate::{
    attributes::FACET,
    front::{Context, Front},
    limits::{TAG_KEY_LENGTH_MAX, TAG_VALUE_LENGTH_MAX, TAGS_MAX},
};

/// The prefix of a tag's key in the settings.
const PREFIX: &str = "tag:";

pub(super) async fn run(
    front: &Front,
    context: &Context,
    request: tag_queue::Request,
) -> Result<Response, Error> {
    if request.tags.is_empty() {
        return Err(Error::missing("Tags"));
    }
    let tags = request.tags.iter();
    let change = tags.map(|(key, value)| (setting(key), Some(value.as_str().into())));
    alter(front, context, &request.queue_url, change.collect()).await?;
    Ok(Response::TagQueue)
}

/// Changes the tags of a queue.
pub(super) async fn alter(
    front: &Front,
    context: &Context,
    url: &str,
    change: SettingsChange,
) -> Result<(), Error> {
    let judge = |definition: &LogDefinition| {
        let mut settings = definition.facets.get(FACET).cloned().unwrap_or_default();
        alter_settings(&mut settings, &change);
        check(&settings, &definition.name)?;
        Ok(AlterLog {
            settings: Some((FACET.into(), change.clone())),
            ..AlterLog::nothing(definition.id)
        })
    };
    front.alter(context, url, judge).await
}

/// Adds tags to the settings of `queue`.
pub(super) fn merge(
    settings: &mut Settings,
    tags: &[(String, String)],
    queue: &str,
) -> Result<(), Error> {
    for (key, value) in tags {
        settings.insert(setting(key), value.as_str().into());
    }
    check(settings, queue)
}

/// The name of the setting for a tag.
pub(super) fn setting(key: &str) -> Box<str> {
    format!("{PREFIX}{key}").into()
}

/// Checks the tags that a queue is to have.
fn check(settings: &Settings, queue: &str) -> Result<(), Error> {
    for (key, value) in tags_of(settings) {
        check_tag(key, value)?;
    }
    if tags_of(settings).count() > TAGS_MAX {
        return Err(invalid(format!("Too many tags added for queue {queue}.")));
    }
    Ok(())
}

/// The tags in the settings.
pub(super) fn tags_of(settings: &Settings) -> impl Iterator<Item = (&str, &str)> {
    settings
        .iter()
        .filter_map(|(key, value)| Some((key.strip_prefix(PREFIX)?, &**value)))
}

/// The error for a tag whose key is missing or too long.
pub(super) fn key_length() -> Error {
    invalid(format!(
        "Tag keys must be between 1 and {TAG_KEY_LENGTH_MAX} characters in length."
    ))
}

fn check_tag(key: &str, value: &str) -> Result<(), Error> {
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
