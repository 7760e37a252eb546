//! Queues: which logs are visible as queues, and opening a log created by another protocol.

use std::fmt::Write as _;

use stele_base_types::{LogId, Name, VHOST_DEFAULT};
use stele_core_broker::{Action, Resolved};
use stele_core_engine::{AlterLog, Altered, DeclareLog, LogDefinition, Settings};
use stele_wire_sqs::{Error, QueueName, queue_name_in_url};

use crate::{
    attributes::{FACET, QueueAttributes},
    errors,
    front::{Context, Front},
    receipt::Secret,
    redrive,
};

/// The setting with the secret of a queue's receipt handles, in hexadecimal.
const SECRET: &str = "receipt-secret";

/// The queue data that operations need.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pub(crate) log: LogId,
    pub(crate) name: Name,
    pub(crate) partitions: u32,
    pub(crate) attributes: QueueAttributes,
    pub(crate) secret: Secret,
}

impl Queue {
    /// The log as a queue; `None` until it has been opened as one.
    fn of(definition: &LogDefinition) -> Option<Self> {
        definition.config.queue?;
        let secret = parse_secret(definition.facets.get(FACET)?.get(SECRET)?)?;
        Some(Self::with(definition, secret))
    }

    fn with(definition: &LogDefinition, secret: Secret) -> Self {
        Self {
            log: definition.id,
            name: definition.name.clone(),
            partitions: definition.config.partitions,
            attributes: QueueAttributes::of(definition),
            secret,
        }
    }
}

/// Whether a log is visible as a queue: a QueueUrl can contain its name, and it lives until
/// somebody deletes it (it isn't exclusive, auto-delete or expiring).
pub(crate) fn is_shown(definition: &LogDefinition) -> bool {
    definition.config.lifetime.stays() && QueueName::of_existing(&definition.name).is_ok()
}

/// The settings of a log that becomes a queue.
pub(crate) fn new_settings(front: &Front) -> Settings {
    let secret = front
        .settings
        .random
        .bytes()
        .iter()
        .fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string can't fail");
            text
        });
    Settings::from([(SECRET.into(), secret.into())])
}

/// The settings that a log keeps when it is declared a queue: its receipt handles stay valid, and
/// its dead letters go where they went.
pub(crate) fn kept_settings(definition: Option<&LogDefinition>) -> Option<Settings> {
    let settings = definition?.facets.get(FACET)?;
    let mut kept = redrive::kept_settings(settings);
    kept.insert(SECRET.into(), settings.get(SECRET)?.clone());
    Some(kept)
}

impl Front {
    /// The definition of the log with a queue's name, for `action`.
    pub(crate) fn definition(
        &self,
        context: &Context,
        name: &QueueName,
        action: Action,
    ) -> Result<Resolved<'_>, Error> {
        let client = &context.principal;
        let resolved = self
            .broker
            .resolve(client, VHOST_DEFAULT, name.as_str(), action);
        let definition = resolved.map_err(errors::of_resolve)?;
        if !is_shown(&definition) {
            return Err(errors::no_such_queue());
        }
        Ok(definition)
    }

    /// The definition of the queue that a QueueUrl names.
    pub(crate) fn definition_at(
        &self,
        context: &Context,
        url: &str,
        action: Action,
    ) -> Result<LogDefinition, Error> {
        let name = queue_name_in_url(url).ok_or_else(errors::no_such_queue)?;
        Ok(self.definition(context, &name, action)?.clone())
    }

    /// The queue that a QueueUrl names. A log created by another protocol is opened on the first
    /// consume or configuration: from its start, with all its records.
    pub(crate) async fn queue(
        &self,
        context: &Context,
        url: &str,
        action: Action,
    ) -> Result<Queue, Error> {
        let name = queue_name_in_url(url).ok_or_else(errors::no_such_queue)?;
        let definition = {
            let definition = self.definition(context, &name, action)?;
            if let Some(queue) = Queue::of(&definition) {
                return Ok(queue);
            }
            if matches!(action, Action::Describe | Action::Write) {
                // Nothing has been received from it, so no receipt handle needs its secret.
                return Ok(Queue::with(&definition, self.settings.random.bytes()));
            }
            definition.clone()
        };
        self.adopt(&definition).await
    }

    /// Changes the settings of the queue that a QueueUrl names. `judge` decides on the change for
    /// the current state, or refuses it; it is called again if another change came first.
    pub(crate) async fn alter(
        &self,
        context: &Context,
        url: &str,
        judge: impl Fn(&LogDefinition) -> Result<AlterLog, Error>,
    ) -> Result<(), Error> {
        self.queue(context, url, Action::Configure).await?;
        let mut definition = self.definition_at(context, url, Action::Configure)?;
        loop {
            let judged_by = definition.facets.get(FACET).cloned();
            let alter = AlterLog {
                judged_by: Some(judged_by.unwrap_or_default()),
                ..judge(&definition)?
            };
            let altered = self.broker.alter_log(alter).await;
            match altered.map_err(errors::of_broker)? {
                Altered::Made(_) => return Ok(()),
                Altered::Outdated(current) => definition = current,
            }
        }
    }

    async fn adopt(&self, definition: &LogDefinition) -> Result<Queue, Error> {
        let settings = new_settings(self);
        let opening = DeclareLog::opening(definition, FACET.into(), settings);
        let declared = self
            .broker
            .declare_log(opening)
            .await
            .map_err(errors::of_broker)?;
        Queue::of(declared.definition())
            .ok_or_else(|| errors::internal(&"an opened log has no ledger"))
    }
}

fn parse_secret(text: &str) -> Option<Secret> {
    let mut secret = Secret::default();
    if text.len() != 2 * secret.len() || !text.is_ascii() {
        return None;
    }
    for (position, byte) in secret.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * position..2 * position + 2], 16).ok()?;
    }
    Some(secret)
}
