//! Plans of any saga behind one trait, so that an orchestrator holds several, and several versions
//! of one.

use std::fmt::Debug;

use stele_toolkit_envelope::{Envelope, Message, Timestamp};

use crate::{Effect, Input, Instance, Plan, Saga, SagaError, SagaId, Status, rows::Stored};

/// A plan, with instances as the JSON that they are stored as.
pub(crate) trait AnyPlan: Debug + Send + Sync {
    fn name(&self) -> &'static str;
    fn version(&self) -> u32;
    fn starts_with(&self, envelope: &Envelope) -> bool;
    fn has_reply(&self, envelope: &Envelope) -> bool;
    fn reply_types(&self) -> Vec<&'static str>;
    fn start(&self, id: SagaId, envelope: &Envelope, now: Timestamp) -> Result<Turned, SagaError>;
    fn decide(
        &self,
        stored: &Stored,
        input: Input<'_>,
        now: Timestamp,
    ) -> Result<Turned, SagaError>;
    fn due(&self, stored: &Stored, now: Timestamp) -> Result<Vec<Input<'static>>, SagaError>;
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

    fn starts_with(&self, envelope: &Envelope) -> bool {
        envelope.is::<S::Start>()
    }

    fn has_reply(&self, envelope: &Envelope) -> bool {
        self.steps.iter().any(|step| step.reply(envelope).is_some())
    }

    fn reply_types(&self) -> Vec<&'static str> {
        let mut types = Self::reply_types(self);
        types.push(S::Start::TYPE);
        types
    }

    fn start(&self, id: SagaId, envelope: &Envelope, now: Timestamp) -> Result<Turned, SagaError> {
        let (instance, effects) = Self::start(self, id, &envelope.open()?, now)?;
        turned(&instance, effects)
    }

    fn decide(
        &self,
        stored: &Stored,
        input: Input<'_>,
        now: Timestamp,
    ) -> Result<Turned, SagaError> {
        let (instance, effects) = Self::decide(self, &read::<S>(stored)?, input, now)?;
        turned(&instance, effects)
    }

    fn due(&self, stored: &Stored, now: Timestamp) -> Result<Vec<Input<'static>>, SagaError> {
        Ok(read::<S>(stored)?.due(now))
    }
}

fn read<S: Saga>(stored: &Stored) -> Result<Instance<S>, SagaError> {
    serde_json::from_str(&stored.body)
        .map_err(|error| SagaError::unreadable(&stored.name, &stored.id, error))
}

fn turned<S: Saga>(instance: &Instance<S>, effects: Vec<Effect>) -> Result<Turned, SagaError> {
    let body = serde_json::to_string(instance)
        .map_err(|error| SagaError::unreadable(S::NAME, &instance.id.0, error))?;
    Ok(Turned {
        body,
        status: instance.status,
        is_stuck: instance.is_stuck,
        due_at: instance.due_at(),
        effects,
    })
}
