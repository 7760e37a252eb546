//! Plans of any saga, process or correlation behind one trait, so that an orchestrator holds
//! several, and several versions of one.

use std::fmt::Debug;

use serde::{Serialize, de::DeserializeOwned};
use stele_toolkit_bus::Reads;
use stele_toolkit_envelope::{Envelope, Message, Timestamp};

use crate::{
    Answered, DecideError, Effect, Input, Instance, Operator, Plan, Reply, Saga, SagaError, SagaId,
    Status, rows::Stored,
};

/// A plan, with instances as the JSON that they are stored as.
pub(crate) trait AnyPlan: Debug + Send + Sync {
    fn name(&self) -> &'static str;
    fn version(&self) -> u32;
    /// The types of messages that it wants, each with the topic that it is published to.
    fn reads(&self) -> Vec<Reads>;
    /// Whether a message makes a new instance.
    fn starts_with(&self, envelope: &Envelope) -> bool;
    /// Whether a message is one for an instance that is there.
    fn takes(&self, envelope: &Envelope) -> bool;
    fn start(&self, id: &str, envelope: &Envelope, now: Timestamp) -> Result<Turned, SagaError>;
    /// `to` is what caused the message.
    fn message(
        &self,
        stored: &Stored,
        envelope: &Envelope,
        to: Answered,
        now: Timestamp,
    ) -> Result<Turned, SagaError>;
    /// Tells the deadlines that have passed.
    fn due(&self, stored: &Stored, now: Timestamp) -> Result<Turned, SagaError>;
    fn operate(
        &self,
        stored: &Stored,
        action: Operator,
        now: Timestamp,
    ) -> Result<Turned, SagaError>;
    /// As a mermaid chart.
    fn diagram(&self) -> String;
}

/// An instance after a decision, as it is stored, and what is to be done.
#[derive(Debug)]
pub(crate) struct Turned {
    pub(crate) body: String,
    pub(crate) status: Status,
    pub(crate) is_stuck: bool,
    pub(crate) due_at: Option<Timestamp>,
    pub(crate) effects: Vec<Effect>,
}

impl<S: Saga> AnyPlan for Plan<S> {
    fn name(&self) -> &'static str {
        S::NAME
    }

    fn version(&self) -> u32 {
        S::VERSION
    }

    fn reads(&self) -> Vec<Reads> {
        let replies = self.steps.iter().flat_map(|step| &step.replies);
        let mut all: Vec<Reads> = replies.map(|reply| reply.reads).collect();
        all.push(reads_of::<S::Start>());
        all
    }

    fn starts_with(&self, envelope: &Envelope) -> bool {
        envelope.is::<S::Start>()
    }

    fn takes(&self, envelope: &Envelope) -> bool {
        self.steps.iter().any(|step| step.reply(envelope).is_some())
    }

    fn start(&self, id: &str, envelope: &Envelope, now: Timestamp) -> Result<Turned, SagaError> {
        let id = SagaId(id.to_owned());
        let (instance, effects) = Self::start(self, id, &envelope.open()?, now)?;
        turned(&instance, effects)
    }

    fn message(
        &self,
        stored: &Stored,
        envelope: &Envelope,
        to: Answered,
        now: Timestamp,
    ) -> Result<Turned, SagaError> {
        let input = Input::Reply(Reply { envelope, to });
        decide(self, stored, input, now)
    }

    fn due(&self, stored: &Stored, now: Timestamp) -> Result<Turned, SagaError> {
        let mut instance: Instance<S> = read(stored)?;
        let mut all = Vec::new();
        // Each is checked against the instance as the ones before have left it.
        for input in instance.due(now) {
            let (next, effects) = Self::decide(self, &instance, input, now)?;
            instance = next;
            all.extend(effects);
        }
        turned(&instance, all)
    }

    fn operate(
        &self,
        stored: &Stored,
        action: Operator,
        now: Timestamp,
    ) -> Result<Turned, SagaError> {
        decide(self, stored, Input::Operator(action), now)
    }

    fn diagram(&self) -> String {
        Self::diagram(self)
    }
}

/// The type of a message, as services subscribe to it.
pub(crate) fn reads_of<M: Message>() -> Reads {
    Reads::Type {
        name: M::TYPE,
        aliases: M::ALIASES,
        topic: M::TOPIC,
        is_batch: false,
    }
}

/// The name of the type that a message has, if it is this one.
pub(crate) fn named(reads: Reads, envelope: &Envelope) -> Option<&'static str> {
    let Reads::Type { name, aliases, .. } = reads else {
        return None;
    };
    let kind = envelope.message_type.as_str();
    (name == kind || aliases.contains(&kind)).then_some(name)
}

/// The name of a type.
pub(crate) fn name_of(reads: Reads) -> Option<&'static str> {
    match reads {
        Reads::Type { name, .. } => Some(name),
        Reads::Raw => None,
    }
}

/// What is stored of an instance.
pub(crate) fn read<I: DeserializeOwned>(stored: &Stored) -> Result<I, SagaError> {
    serde_json::from_str(&stored.body)
        .map_err(|error| SagaError::unreadable(&stored.name, &stored.id, error))
}

/// An instance as it is stored.
pub(crate) fn write<I: Serialize>(name: &str, id: &str, instance: &I) -> Result<String, SagaError> {
    serde_json::to_string(instance).map_err(|error| SagaError::unreadable(name, id, error))
}

fn decide<S: Saga>(
    plan: &Plan<S>,
    stored: &Stored,
    input: Input<'_>,
    now: Timestamp,
) -> Result<Turned, SagaError> {
    let decided: Result<_, DecideError> = plan.decide(&read(stored)?, input, now);
    let (instance, effects) = decided?;
    turned(&instance, effects)
}

fn turned<S: Saga>(instance: &Instance<S>, effects: Vec<Effect>) -> Result<Turned, SagaError> {
    Ok(Turned {
        body: write(S::NAME, &instance.id.0, instance)?,
        status: instance.status,
        is_stuck: instance.is_stuck,
        due_at: instance.due_at(),
        effects,
    })
}
