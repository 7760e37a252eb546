//! Redrive policies: where messages go that were received too often, and which queues may send
//! theirs. Each is JSON in an attribute of a queue; it is checked when it is set, and stored in one
//! canonical form.

use serde_json::{Map, Value, json};
use stele_base_types::VHOST_DEFAULT;
use stele_core_engine::{Catalogue, DeathReason, LedgerConfig, LogDefinition, Settings};
use stele_wire_sqs::{Error, ErrorKind, QueueName};

use crate::{
    attributes::{FACET, REDRIVE, REDRIVE_ALLOW},
    limits::{RECEIVES, SOURCE_QUEUES_MAX},
};

/// The setting with a queue's limit of deliveries from before it got a policy, which it gets back
/// without one.
const FORMER_LIMIT: &str = "former-delivery-limit";

const TARGET_ARN: &str = "deadLetterTargetArn";
const RECEIVE_COUNT: &str = "maxReceiveCount";
const PERMISSION: &str = "redrivePermission";
const SOURCES: &str = "sourceQueueArns";

/// The parts of a queue's ARN that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arn<'a> {
    pub(crate) region: &'a str,
    pub(crate) account: &'a str,
    pub(crate) name: &'a str,
}

/// Where a queue's messages go, and after how many receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RedrivePolicy {
    pub(crate) target_arn: Box<str>,
    pub(crate) receives_max: u32,
}

/// Which queues may use a queue as their dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RedriveAllowPolicy {
    AllowAll,
    DenyAll,
    ByQueue(Vec<String>),
}

impl<'a> Arn<'a> {
    /// Reads `arn:PARTITION:sqs:REGION:ACCOUNT:NAME`.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.splitn(7, ':').collect();
        match parts.as_slice() {
            ["arn", _, "sqs", region, account, name] if !name.is_empty() => Some(Self {
                region,
                account,
                name,
            }),
            _ => None,
        }
    }
}

impl RedrivePolicy {
    /// Reads a value of the attribute; `None` if it is empty, which means no policy.
    pub(crate) fn read(text: &str) -> Result<Option<Self>, Error> {
        if text.is_empty() {
            return Ok(None);
        }
        let Ok(policy) = serde_json::from_str::<Map<String, Value>>(text) else {
            let reason = "Redrive policy is not a valid JSON map.";
            return Err(malformed(REDRIVE, reason));
        };
        let invalid = |reason: &str| Error::invalid_value(text, REDRIVE, reason);
        let member = |name: &str| {
            let missing = format!("Redrive policy does not contain mandatory attribute: {name}.");
            policy.get(name).ok_or_else(|| invalid(&missing))
        };
        let count = member(RECEIVE_COUNT)?;
        let target = member(TARGET_ARN)?;
        let receives_max = match count {
            Value::String(text) => text.trim().parse().ok(),
            other => other.as_u64(),
        };
        let receives_max = receives_max.and_then(|count| u32::try_from(count).ok());
        let receives_max = receives_max.filter(|count| RECEIVES.contains(count));
        let Some(receives_max) = receives_max else {
            let count = count
                .as_str()
                .map_or_else(|| count.to_string(), str::to_owned);
            return Err(invalid(&format!(
                "Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both \
                 inclusive."
            )));
        };
        let target = target.as_str().filter(|arn| Arn::read(arn).is_some());
        let Some(target) = target else {
            return Err(invalid(
                "Dead-letter target ARN should be fully qualified ARN.",
            ));
        };
        if policy.len() > 2 {
            return Err(invalid(
                "Only following attributes are supported: [deadLetterTargetArn, maxReceiveCount].",
            ));
        }
        Ok(Some(Self {
            target_arn: target.into(),
            receives_max,
        }))
    }

    /// The policy of a queue, if it has one.
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        Self::read(settings.get(REDRIVE)?).ok()?
    }

    /// The name of the target.
    pub(crate) fn target(&self) -> &str {
        Arn::read(&self.target_arn).map_or("", |arn| arn.name)
    }

    /// The log that is the target now, whichever protocol made it.
    pub(crate) fn find<'a>(&self, catalogue: &'a Catalogue) -> Option<&'a LogDefinition> {
        catalogue.log(VHOST_DEFAULT, self.target())
    }

    pub(crate) fn to_json(&self) -> String {
        let arn = Value::from(&*self.target_arn);
        // In the order in which AWS writes them.
        format!(
            "{{\"{TARGET_ARN}\":{arn},\"{RECEIVE_COUNT}\":{}}}",
            self.receives_max
        )
    }

    /// Checks the policy against the queues that there are. `own` is the ARN of its queue.
    pub(crate) fn check(
        &self,
        catalogue: &Catalogue,
        own: &str,
        is_fifo: bool,
    ) -> Result<(), Error> {
        let invalid = |reason| Err(Error::invalid_value(self.to_json(), REDRIVE, reason));
        let (Some(target), Some(own_parts)) = (Arn::read(&self.target_arn), Arn::read(own)) else {
            return invalid("Dead-letter target ARN should be fully qualified ARN.");
        };
        if target.account != own_parts.account {
            return invalid("Dead-letter target owner should be same as the source.");
        }
        let found = self.find(catalogue).filter(|found| can_be_named(found));
        let Some(found) = found.filter(|_| target.region == own_parts.region) else {
            return invalid("Dead letter target does not exist.");
        };
        if found.config.queue.is_some_and(|queue| queue.fifo) != is_fifo {
            return invalid("Dead-letter queue must be same type of queue as the source.");
        }
        let allowed = found.facets.get(FACET).and_then(RedriveAllowPolicy::of);
        if allowed.is_some_and(|allowed| !allowed.allows(own)) {
            return invalid(
                "The RedriveAllowPolicy of the dead-letter queue doesn't permit this source queue.",
            );
        }
        Ok(())
    }
}

impl RedriveAllowPolicy {
    /// Reads a value of the attribute; `None` if it is empty, which allows all.
    pub(crate) fn read(text: &str) -> Result<Option<Self>, Error> {
        const UNSUPPORTED: &str = "Amazon SQS can't create the redrive allow policy, as it’s in an \
                                   unsupported format.";
        let unsupported = || malformed(REDRIVE_ALLOW, UNSUPPORTED);
        let invalid = |what: &str| {
            let reason = format!("Amazon SQS can't create the redrive allow policy. {what}");
            Err(Error::invalid_value(text, REDRIVE_ALLOW, &reason))
        };
        if text.is_empty() {
            return Ok(None);
        }
        let policy: Map<String, Value> = serde_json::from_str(text).map_err(|_| unsupported())?;
        if policy.keys().any(|key| key != PERMISSION && key != SOURCES) {
            return Err(unsupported());
        }
        let sources = policy.get(SOURCES).map(texts_of);
        let sources = sources.map(|sources| sources.ok_or_else(unsupported));
        let sources = sources.transpose()?;
        match (policy.get(PERMISSION).and_then(Value::as_str), sources) {
            (Some("allowAll"), None) => Ok(Some(Self::AllowAll)),
            (Some("denyAll"), None) => Ok(Some(Self::DenyAll)),
            (Some("allowAll" | "denyAll"), Some(_)) => invalid(
                "To specify one or more source queue ARNs, you must set redrivePermission to \
                 byQueue.",
            ),
            (Some("byQueue"), None) => invalid(NO_SOURCES),
            (Some("byQueue"), Some(sources)) if sources.is_empty() => invalid(NO_SOURCES),
            (Some("byQueue"), Some(sources)) if sources.len() > SOURCE_QUEUES_MAX => {
                invalid("The maximum number of source queue ARNs you can specify is 10.")
            }
            (Some("byQueue"), Some(sources)) => Ok(Some(Self::ByQueue(sources))),
            _ => Err(unsupported()),
        }
    }

    /// The policy of a queue, if it has one.
    pub(crate) fn of(settings: &Settings) -> Option<Self> {
        Self::read(settings.get(REDRIVE_ALLOW)?).ok()?
    }

    pub(crate) fn to_json(&self) -> String {
        match self {
            Self::AllowAll => json!({PERMISSION: "allowAll"}).to_string(),
            Self::DenyAll => json!({PERMISSION: "denyAll"}).to_string(),
            Self::ByQueue(arns) => json!({PERMISSION: "byQueue", SOURCES: arns}).to_string(),
        }
    }

    fn allows(&self, source_arn: &str) -> bool {
        match self {
            Self::AllowAll => true,
            Self::DenyAll => false,
            Self::ByQueue(arns) => arns.iter().any(|arn| arn == source_arn),
        }
    }
}

const NO_SOURCES: &str = "When you specify the byQueue permission type, you must also specify one \
                          or more sourceQueueArns values.";

/// Whether a queue's policy names this target.
pub(crate) fn sends_dead_letters_to(source: &LogDefinition, target: &str) -> bool {
    let policy = source.facets.get(FACET).and_then(RedrivePolicy::of);
    policy.is_some_and(|policy| policy.target() == target)
}

/// Whether a queue's ARN can contain a log's name.
fn can_be_named(definition: &LogDefinition) -> bool {
    QueueName::of_existing(&definition.name).is_ok()
}

fn texts_of(value: &Value) -> Option<Vec<String>> {
    let texts = value.as_array()?.iter();
    texts.map(|text| text.as_str().map(str::to_owned)).collect()
}

fn malformed(attribute: &str, reason: &str) -> Error {
    let message = format!("Invalid value for the parameter {attribute}. Reason: {reason}");
    Error::new(ErrorKind::InvalidParameterValue, message)
}

// ---- what a policy changes in the queue ---------------------------------------------------

/// The policy among the given attributes: `Some(None)` if they remove it.
pub(crate) fn given(given: &[(String, String)]) -> Result<Option<Option<RedrivePolicy>>, Error> {
    let value = given.iter().rfind(|(name, _)| name == REDRIVE);
    let policy = value.map(|(_, value)| RedrivePolicy::read(value));
    policy.transpose()
}

/// The settings of a queue's policy.
pub(crate) fn kept_settings(settings: &Settings) -> Settings {
    let names = [REDRIVE, FORMER_LIMIT].into_iter();
    let kept = names.filter_map(|name| Some((name.into(), settings.get(name)?.clone())));
    kept.collect()
}

/// How a queue limits deliveries with a policy.
pub(crate) fn limited(queue: LedgerConfig, policy: &RedrivePolicy) -> LedgerConfig {
    LedgerConfig {
        deliveries_max: Some(policy.receives_max),
        dead_letters: queue.dead_letters.and(DeathReason::Deliveries),
        ..queue
    }
}

/// Keeps the limit that a queue has without a policy.
pub(crate) fn keep_former(settings: &mut Settings, queue: &LedgerConfig) {
    let max = queue.deliveries_max;
    let max = max.map_or_else(String::new, |max| max.to_string());
    let dies = queue.dead_letters.contains(DeathReason::Deliveries);
    settings.insert(FORMER_LIMIT.into(), format!("{max} {dies}").into());
}

/// The limit that a queue had before it got a policy, and whether messages that reach it become
/// dead letters.
pub(crate) fn former(settings: &Settings) -> (Option<u32>, bool) {
    let kept = settings.get(FORMER_LIMIT);
    match kept.and_then(|kept| kept.split_once(' ')) {
        Some((max, dies)) => (max.parse().ok(), dies == "true"),
        None => (None, false),
    }
}

#[cfg(test)]
mod tests;
