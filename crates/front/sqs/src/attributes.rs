//! Queue attributes: names, values, and where they are stored.
//!
//! The engine uses `DelaySeconds`, `MessageRetentionPeriod` and `FifoQueue`; they are stored in the
//! log's queue configuration. The other attributes given to a queue are settings of the log's facet
//! `sqs`, under their own names; an attribute without a setting has its default.

use std::ops::RangeInclusive;

use stele_core_engine::{LedgerConfig, LogDefinition, Settings, own_expiry_ms};
use stele_wire_sqs::{Error, ErrorKind, is_message_text};

use crate::{
    limits::{
        DELAY_S, KMS_REUSE_S, MESSAGE_SIZE_BYTES, RECEIVE_WAIT_S, RETENTION_S, VISIBILITY_TIMEOUT_S,
    },
    redrive::{self, RedriveAllowPolicy, RedrivePolicy},
};

/// The name of the facet.
pub(crate) const FACET: &str = "sqs";

pub(crate) const DELAY: &str = "DelaySeconds";
pub(crate) const RETENTION: &str = "MessageRetentionPeriod";
pub(crate) const FIFO_QUEUE: &str = "FifoQueue";
const VISIBILITY_TIMEOUT: &str = "VisibilityTimeout";
const MESSAGE_SIZE: &str = "MaximumMessageSize";
const RECEIVE_WAIT: &str = "ReceiveMessageWaitTimeSeconds";
const CONTENT_BASED: &str = "ContentBasedDeduplication";
const SCOPE: &str = "DeduplicationScope";
const THROUGHPUT: &str = "FifoThroughputLimit";
const ENCRYPTED: &str = "SqsManagedSseEnabled";
const KMS_KEY: &str = "KmsMasterKeyId";
const KMS_REUSE: &str = "KmsDataKeyReusePeriodSeconds";
pub(crate) const REDRIVE: &str = "RedrivePolicy";
pub(crate) const REDRIVE_ALLOW: &str = "RedriveAllowPolicy";

/// The defaults of CreateQueue.
const RETENTION_DEFAULT_S: u64 = 345_600;
const VISIBILITY_TIMEOUT_DEFAULT_S: u64 = 30;
const MESSAGE_SIZE_DEFAULT_BYTES: u64 = 1_048_576;
const KMS_REUSE_DEFAULT_S: u64 = 300;

/// The values that an attribute accepts.
#[derive(Debug)]
enum Kind {
    /// A number in a range.
    Number(RangeInclusive<i32>),
    /// `true` or `false`.
    Flag,
    /// Any text; empty means none.
    Text,
    /// `true` or `false`, only for FIFO queues.
    FifoFlag,
    /// One of several words, only for FIFO queues.
    FifoChoice(&'static [&'static str]),
    /// `true`, only at creation.
    FifoQueue,
    /// Where messages go that were received too often.
    Redrive,
    /// Which queues may send such messages here.
    RedriveAllow,
    /// A feature that isn't supported: only the values that disable it are accepted.
    Absent(&'static [&'static str]),
    /// Returned, never set.
    Told,
}

/// All attributes of the API.
const ATTRIBUTES: &[(&str, Kind)] = &[
    (DELAY, Kind::Number(DELAY_S)),
    (MESSAGE_SIZE, Kind::Number(MESSAGE_SIZE_BYTES)),
    (RETENTION, Kind::Number(RETENTION_S)),
    (RECEIVE_WAIT, Kind::Number(RECEIVE_WAIT_S)),
    (VISIBILITY_TIMEOUT, Kind::Number(VISIBILITY_TIMEOUT_S)),
    (FIFO_QUEUE, Kind::FifoQueue),
    (CONTENT_BASED, Kind::FifoFlag),
    (SCOPE, Kind::FifoChoice(&["queue", "messageGroup"])),
    (
        THROUGHPUT,
        Kind::FifoChoice(&["perQueue", "perMessageGroupId"]),
    ),
    (ENCRYPTED, Kind::Flag),
    (KMS_KEY, Kind::Text),
    (KMS_REUSE, Kind::Number(KMS_REUSE_S)),
    ("Policy", Kind::Absent(&[""])),
    (REDRIVE, Kind::Redrive),
    (REDRIVE_ALLOW, Kind::RedriveAllow),
    ("ApproximateNumberOfMessages", Kind::Told),
    ("ApproximateNumberOfMessagesDelayed", Kind::Told),
    ("ApproximateNumberOfMessagesNotVisible", Kind::Told),
    ("CreatedTimestamp", Kind::Told),
    ("LastModifiedTimestamp", Kind::Told),
    ("QueueArn", Kind::Told),
];

/// The effective attributes of a queue, except those that are counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QueueAttributes {
    pub(crate) fifo: bool,
    pub(crate) delay_s: u64,
    pub(crate) retention_s: u64,
    pub(crate) visibility_timeout_s: u64,
    pub(crate) message_size_bytes_max: u64,
    pub(crate) receive_wait_s: u64,
    pub(crate) content_based_deduplication: bool,
    pub(crate) deduplication_by_group: bool,
    throughput_by_group: bool,
    /// How SQS would encrypt messages. These attributes are only stored and returned: nothing is
    /// encrypted.
    encrypted: bool,
    kms_key: Option<Box<str>>,
    kms_reuse_s: u64,
    pub(crate) redrive: Option<RedrivePolicy>,
    redrive_allow: Option<RedriveAllowPolicy>,
}

/// Whether the API has an attribute of that name.
pub(crate) fn is_known(name: &str) -> bool {
    kind(name).is_some()
}

/// All names of the API, in the order of responses.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ATTRIBUTES.iter().map(|(name, _)| *name)
}

impl QueueAttributes {
    /// The attributes of a log used as a queue.
    pub(crate) fn of(definition: &LogDefinition) -> Self {
        const NONE: &Settings = &Settings::new();
        let settings = definition.facets.get(FACET).unwrap_or(NONE);
        Self::of_parts(settings, definition.config.queue.unwrap_or_default())
    }

    pub(crate) fn of_parts(settings: &Settings, queue: LedgerConfig) -> Self {
        let text = |name: &str| settings.get(name).map(|value| &**value);
        let number = |name: &str, default: u64| {
            text(name)
                .and_then(|value| value.parse().ok())
                .unwrap_or(default)
        };
        // If nothing expires, the longest retention that SQS can express is returned.
        let longest_s = u64::from(RETENTION_S.end().unsigned_abs());
        Self {
            fifo: queue.fifo,
            delay_s: queue.delay_ms / 1000,
            retention_s: own_expiry_ms(settings)
                .or(queue.expiry_ms)
                .map_or(longest_s, |expiry_ms| expiry_ms / 1000),
            visibility_timeout_s: number(VISIBILITY_TIMEOUT, VISIBILITY_TIMEOUT_DEFAULT_S),
            message_size_bytes_max: number(MESSAGE_SIZE, MESSAGE_SIZE_DEFAULT_BYTES),
            receive_wait_s: number(RECEIVE_WAIT, 0),
            content_based_deduplication: text(CONTENT_BASED) == Some("true"),
            deduplication_by_group: text(SCOPE) == Some("messageGroup"),
            throughput_by_group: text(THROUGHPUT) == Some("perMessageGroupId"),
            encrypted: text(ENCRYPTED) == Some("true"),
            kms_key: text(KMS_KEY).filter(|key| !key.is_empty()).map(Into::into),
            kms_reuse_s: number(KMS_REUSE, KMS_REUSE_DEFAULT_S),
            redrive: RedrivePolicy::of(settings),
            redrive_allow: RedriveAllowPolicy::of(settings),
        }
    }

    /// The value of an attribute as returned; `None` if the queue doesn't have it.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let chosen = |second: bool, choices: [&str; 2]| {
            self.fifo.then(|| choices[usize::from(second)].to_owned())
        };
        match name {
            DELAY => Some(self.delay_s.to_string()),
            RETENTION => Some(self.retention_s.to_string()),
            VISIBILITY_TIMEOUT => Some(self.visibility_timeout_s.to_string()),
            MESSAGE_SIZE => Some(self.message_size_bytes_max.to_string()),
            RECEIVE_WAIT => Some(self.receive_wait_s.to_string()),
            ENCRYPTED => Some(self.encrypted.to_string()),
            KMS_KEY => self.kms_key.as_deref().map(str::to_owned),
            KMS_REUSE => self.tells_kms_reuse().then(|| self.kms_reuse_s.to_string()),
            FIFO_QUEUE => self.fifo.then(|| "true".to_owned()),
            REDRIVE => self.redrive.as_ref().map(RedrivePolicy::to_json),
            REDRIVE_ALLOW => {
                let policy = self.redrive_allow.as_ref();
                policy.map(RedriveAllowPolicy::to_json)
            }
            CONTENT_BASED => chosen(self.content_based_deduplication, ["false", "true"]),
            SCOPE => chosen(self.deduplication_by_group, ["queue", "messageGroup"]),
            THROUGHPUT => chosen(self.throughput_by_group, ["perQueue", "perMessageGroupId"]),
            _ => None,
        }
    }

    fn tells_kms_reuse(&self) -> bool {
        self.kms_key.is_some() || self.kms_reuse_s != KMS_REUSE_DEFAULT_S
    }

    /// Fails if attributes contradict each other.
    pub(crate) fn check_together(&self) -> Result<(), Error> {
        if self.throughput_by_group && !self.deduplication_by_group {
            return Err(Error::new(
                ErrorKind::InvalidAttributeValue,
                "The perMessageGroupId value for FifoThroughputLimit is allowed only when the \
                 value for DeduplicationScope is messageGroup.",
            ));
        }
        Ok(())
    }
}

/// Checks attributes that are to be set on a queue.
pub(crate) fn check(given: &[(String, String)], fifo: bool) -> Result<(), Error> {
    given
        .iter()
        .try_for_each(|(name, value)| check_one(name, value, fifo))?;
    if encrypts_by(given, ENCRYPTED) && encrypts_by(given, KMS_KEY) {
        return Err(Error::new(
            ErrorKind::InvalidAttributeName,
            "You can use one type of server-side encryption (SSE) at one time. You can either \
             enable KMS SSE or SQS SSE.",
        ));
    }
    Ok(())
}

/// Whether one of the two attributes that enable encryption is given and enables it.
fn encrypts_by(given: &[(String, String)], attribute: &str) -> bool {
    let value = given.iter().rfind(|(name, _)| name == attribute);
    value.is_some_and(|(_, value)| match attribute {
        KMS_KEY => !value.is_empty(),
        _ => is_true(value),
    })
}

/// Merges the given attributes into the settings of a log's facet. Attributes stored in the queue's
/// configuration, and those that only disable an unsupported feature, are not stored here. The two
/// kinds of encryption replace each other.
pub(crate) fn merge_settings(settings: &mut Settings, given: &[(String, String)]) {
    for (name, value) in given {
        let stored = match kind(name) {
            Some(Kind::Number(_)) if name == DELAY || name == RETENTION => continue,
            Some(Kind::FifoQueue | Kind::Absent(_) | Kind::Told) | None => continue,
            Some(kind) => canonical(kind, value),
        };
        settings.insert(name.as_str().into(), stored.into());
    }
    if encrypts_by(given, KMS_KEY) {
        settings.insert(ENCRYPTED.into(), "false".into());
    } else if encrypts_by(given, ENCRYPTED) {
        settings.insert(KMS_KEY.into(), "".into());
    }
}

/// Merges the given attributes into the queue's configuration.
pub(crate) fn merge_queue(queue: LedgerConfig, given: &[(String, String)]) -> LedgerConfig {
    let queue = LedgerConfig {
        delay_ms: given_ms(given, DELAY).unwrap_or(queue.delay_ms),
        expiry_ms: given_ms(given, RETENTION).or(queue.expiry_ms),
        ..queue
    };
    match redrive::given(given) {
        Ok(Some(Some(policy))) => redrive::limited(queue, &policy),
        _ => queue,
    }
}

/// An attribute in seconds, if given, converted to milliseconds.
pub(crate) fn given_ms(given: &[(String, String)], attribute: &str) -> Option<u64> {
    let (_, value) = given.iter().rfind(|(name, _)| name == attribute)?;
    Some(value.trim().parse::<u64>().unwrap_or(0) * 1000)
}

/// The configuration of a queue created without attributes.
pub(crate) fn queue_default(fifo: bool) -> LedgerConfig {
    LedgerConfig {
        fifo,
        expiry_ms: Some(RETENTION_DEFAULT_S * 1000),
        ..LedgerConfig::PLAIN
    }
}

/// The first given attribute whose value differs from the effective one.
pub(crate) fn first_difference<'a>(
    given: &'a [(String, String)],
    current: &QueueAttributes,
) -> Option<&'a str> {
    let differs = |(name, value): &&(String, String)| match kind(name) {
        Some(Kind::Absent(_) | Kind::Told) | None => false,
        Some(kind) => {
            let untold = || match name.as_str() {
                KMS_REUSE => current.kms_reuse_s.to_string(),
                _ => String::new(),
            };
            canonical(kind, value) != current.value(name).unwrap_or_else(untold)
        }
    };
    given.iter().find(differs).map(|(name, _)| name.as_str())
}

fn kind(name: &str) -> Option<&'static Kind> {
    ATTRIBUTES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, kind)| kind)
}

fn check_one(name: &str, value: &str, fifo: bool) -> Result<(), Error> {
    let fits = match kind(name) {
        Some(Kind::Number(range)) => value
            .trim()
            .parse()
            .is_ok_and(|number| range.contains(&number)),
        Some(Kind::Text) => is_message_text(value),
        Some(Kind::Flag) => is_flag(value),
        Some(Kind::FifoFlag) if fifo => is_flag(value),
        Some(Kind::FifoChoice(choices)) if fifo => choices.contains(&value),
        Some(Kind::FifoQueue) if fifo => is_true(value),
        Some(Kind::Redrive) => return RedrivePolicy::read(value).map(drop),
        Some(Kind::RedriveAllow) => return RedriveAllowPolicy::read(value).map(drop),
        Some(Kind::Absent(allowed)) if allowed.contains(&value) => true,
        Some(Kind::Absent(_)) => {
            return Err(Error::new(
                ErrorKind::UnsupportedOperation,
                format!("The attribute {name} isn't supported."),
            ));
        }
        Some(Kind::FifoChoice(_)) => {
            return Err(Error::new(
                ErrorKind::InvalidAttributeName,
                format!("You can specify the {name} only when FifoQueue is set to true."),
            ));
        }
        Some(Kind::FifoFlag | Kind::FifoQueue | Kind::Told) | None => {
            return Err(unknown(name));
        }
    };
    if fits {
        return Ok(());
    }
    let reason = if name == FIFO_QUEUE {
        " Reason: Modifying queue type is not supported."
    } else {
        ""
    };
    Err(Error::new(
        ErrorKind::InvalidAttributeValue,
        format!("Invalid value for the parameter {name}.{reason}"),
    ))
}

/// The error for an unknown attribute.
pub(crate) fn unknown(name: &str) -> Error {
    Error::new(
        ErrorKind::InvalidAttributeName,
        format!("Unknown Attribute {name}."),
    )
}

/// Whether the text is true, in any case: Python and CloudFormation write `True`.
pub(crate) fn is_true(text: &str) -> bool {
    text.eq_ignore_ascii_case("true")
}

fn is_flag(text: &str) -> bool {
    is_true(text) || text.eq_ignore_ascii_case("false")
}

/// The canonical value for storing and comparing: a number without signs, spaces or leading zeros,
/// a flag in lower case.
fn canonical(kind: &Kind, value: &str) -> String {
    match kind {
        Kind::Number(_) => value
            .trim()
            .parse::<i32>()
            .map_or_else(|_| value.to_owned(), |number| number.to_string()),
        Kind::Flag | Kind::FifoFlag | Kind::FifoQueue => value.to_ascii_lowercase(),
        Kind::Redrive => match RedrivePolicy::read(value) {
            Ok(Some(policy)) => policy.to_json(),
            _ => String::new(),
        },
        Kind::RedriveAllow => match RedriveAllowPolicy::read(value) {
            Ok(Some(policy)) => policy.to_json(),
            _ => String::new(),
        },
        Kind::Text | Kind::FifoChoice(_) | Kind::Absent(_) | Kind::Told => value.to_owned(),
    }
}

#[cfg(test)]
mod tests;
