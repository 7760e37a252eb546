//! A letter's headers: written, and read back.

use stele_toolkit_envelope::Timestamp;

use super::{dead_queue, retry_queue, tool::DeadLetter};
use crate::{
    DeadNotice, Destination, Headers, Incoming, Outgoing, Story,
    runner::{core::Core, item::Item},
};

const REASON: &str = "reason";
const CLASS: &str = "class";
const ERROR: &str = "error";
const ERROR_TYPE: &str = "errorType";
const HANDLER: &str = "handler";
const SERVICE: &str = "service";
const ATTEMPTS: &str = "attempts";
const FIRST_FAILED_AT: &str = "firstFailedAt";
const LAST_FAILED_AT: &str = "lastFailedAt";
const ORIGIN: &str = "origin";
const HOST: &str = "host";
const CODE_VERSION: &str = "codeVersion";
const MESSAGE_ID: &str = "messageId";
const DESTINATION: &str = "destination";

const ALL: [&str; 14] = [
    REASON,
    CLASS,
    ERROR,
    ERROR_TYPE,
    HANDLER,
    SERVICE,
    ATTEMPTS,
    FIRST_FAILED_AT,
    LAST_FAILED_AT,
    ORIGIN,
    HOST,
    CODE_VERSION,
    MESSAGE_ID,
    DESTINATION,
];

/// A header of the original that a letter needs for itself has this before its name.
const OF_ORIGINAL: &str = "original-";

/// The longest text of an error in a header. Brokers bound headers, and a letter must not be
/// refused for its explanation.
const ERROR_CHARS_MAX: usize = 1000;

/// Who makes dead letters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Author {
    pub(crate) host: String,
    pub(crate) code_version: String,
}

/// The letter of a message.
pub(crate) fn letter(core: &Core, item: &Item, story: &Story) -> Outgoing {
    let message = &item.received.message;
    let mut headers = Headers::new();
    for (name, value) in message.headers.iter() {
        let is_taken = ALL.contains(&name) || name.starts_with(OF_ORIGINAL);
        let prefix = if is_taken { OF_ORIGINAL } else { "" };
        headers.set(format!("{prefix}{name}"), value.clone());
    }
    let error: String = story.error.chars().take(ERROR_CHARS_MAX).collect();
    let texts = [
        (REASON, story.reason.clone()),
        (CLASS, story.class.name().to_owned()),
        (ERROR, error),
        (ERROR_TYPE, story.error_type.clone()),
        (HANDLER, item.handler.clone()),
        (SERVICE, core.service.clone()),
        (ATTEMPTS, story.attempts.to_string()),
        (FIRST_FAILED_AT, story.first_failed_at.to_string()),
        (LAST_FAILED_AT, story.last_failed_at.to_string()),
        (ORIGIN, item.received.origin.to_string()),
        (HOST, core.author.host.clone()),
        (CODE_VERSION, core.author.code_version.clone()),
        (MESSAGE_ID, item.message_id.clone()),
        (DESTINATION, destination(&message.to)),
    ];
    // Not every broker keeps an empty value.
    for (name, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        headers.set(name, text);
    }
    let content_type = message.content_type.clone();
    Outgoing {
        to: Destination::Queue(dead_queue(&core.service)),
        key: message.key.clone(),
        message_id: core.ids.message_id(core.clock.now()),
        content_type: content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
        headers,
        body: message.body.clone(),
        delay: std::time::Duration::ZERO,
    }
}

/// What alerts are told about a letter.
pub(crate) fn notice(core: &Core, item: &Item, story: &Story, letter: &Outgoing) -> DeadNotice {
    DeadNotice {
        letter_id: letter.message_id.clone(),
        service: core.service.clone(),
        handler: item.handler.clone(),
        message_id: item.message_id.clone(),
        message_type: item.message_type().to_owned(),
        key: item.key().to_owned(),
        origin: item.received.origin.to_string(),
        story: story.clone(),
    }
}

/// Makes a message that came back what it was, as far as it was a letter.
pub(crate) fn restore(message: &mut Incoming) {
    let Some(to) = message.headers.text(DESTINATION).and_then(parse) else {
        return;
    };
    message.to = to;
    message.message_id = message.headers.text(MESSAGE_ID).map(ToOwned::to_owned);
    message.headers = original_headers(&message.headers);
}

fn original_headers(headers: &Headers) -> Headers {
    let originals = headers.iter().filter(|(name, _)| !ALL.contains(name));
    originals
        .map(|(name, value)| {
            let name = name.strip_prefix(OF_ORIGINAL).unwrap_or(name);
            (name.to_owned(), value.clone())
        })
        .collect()
}

/// A letter that was taken from its queue; `None` if it isn't one.
pub(super) fn read(message: &Incoming) -> Option<DeadLetter> {
    let text = |name| message.headers.text(name).unwrap_or_default().to_owned();
    let time = |name| message.headers.text(name)?.parse::<Timestamp>().ok();
    let class = text(CLASS);
    let class = crate::FailureClass::ALL
        .into_iter()
        .find(|it| it.name() == class)?;
    Some(DeadLetter {
        id: message.message_id.clone()?,
        handler: text(HANDLER),
        message_id: text(MESSAGE_ID),
        key: message.key.clone(),
        to: parse(message.headers.text(DESTINATION)?)?,
        origin: text(ORIGIN),
        story: Story {
            reason: text(REASON),
            class,
            error: text(ERROR),
            error_type: text(ERROR_TYPE),
            attempts: text(ATTEMPTS).parse().ok()?,
            first_failed_at: time(FIRST_FAILED_AT)?,
            last_failed_at: time(LAST_FAILED_AT)?,
        },
        headers: original_headers(&message.headers),
        body: message.body.clone(),
    })
}

/// A letter on its way back to its service. Its id is new, since a broker that deduplicates would
/// drop a known one.
pub(super) fn retry(message: &Incoming, service: &str, id: String, body: bytes::Bytes) -> Outgoing {
    let content_type = message.content_type.clone();
    Outgoing {
        to: Destination::Queue(retry_queue(service)),
        key: message.key.clone(),
        message_id: id,
        content_type: content_type.unwrap_or_else(|| "application/octet-stream".to_owned()),
        headers: message.headers.clone(),
        body,
        delay: std::time::Duration::ZERO,
    }
}

fn destination(to: &Destination) -> String {
    match to {
        Destination::Topic(name) => format!("topic:{name}"),
        Destination::Queue(name) => format!("queue:{name}"),
    }
}

fn parse(text: &str) -> Option<Destination> {
    match text.split_once(':')? {
        ("topic", name) => Some(Destination::Topic(name.to_owned())),
        ("queue", name) => Some(Destination::Queue(name.to_owned())),
        _ => None,
    }
}
