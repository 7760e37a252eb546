//! The orchestrator: keeps instances in the service's database.

use stele_toolkit_bus::{Destination, Outgoing};
use stele_toolkit_envelope::{Context, Envelope, RawJson, Timestamp};
use stele_toolkit_sql::{Db, Tx};

use crate::{
    Draft, Effect, Input, Plan, Reply, Saga, SagaError, SagaId,
    any_plan::{AnyPlan, Turned},
    rows::{self, Stored},
};

/// The field of a command's metadata that names the step of the instance: the same for each attempt
/// at doing it and at undoing it.
pub(crate) const ACTION_ID: &str = "actionId";

/// The largest stored envelope that is read back.
const ENVELOPE_BYTES_MAX: usize = 16 << 20;

/// Keeps the instances of sagas, and says what is to be sent.
///
/// It works in transactions of the service's database that others begin and commit: a handler's, or
/// that of the loop that looks after deadlines. What it returns has to be sent if and only if the
/// transaction is committed: by the outbox.
#[derive(Debug)]
pub struct Orchestrator {
    plans: Vec<Box<dyn AnyPlan>>,
    context: Context,
}

/// What came of a message or a deadline.
#[derive(Debug, Default)]
#[must_use = "the messages are to be sent with the transaction"]
pub struct Handled {
    /// Commands and events to send if the transaction is committed.
    pub messages: Vec<Outgoing>,
    /// What a person should know: an instance that doesn't get further.
    pub alerts: Vec<String>,
    /// How many instances took part.
    pub instances: usize,
}

impl Orchestrator {
    /// An orchestrator without sagas, whose messages come from `context`.
    pub fn new(context: Context) -> Self {
        Self {
            plans: Vec::new(),
            context,
        }
    }

    /// Registers a version of a saga. New instances go by the highest version of its name; those
    /// that are there go on by their own, for as long as it is registered.
    #[must_use]
    pub fn with<S: Saga>(mut self) -> Self {
        self.plans.push(Box::new(Plan::<S>::new()));
        self.plans
            .sort_by_key(|plan| (plan.name(), std::cmp::Reverse(plan.version())));
        self
    }

    /// Makes the tables.
    pub async fn migrate(&self, db: &Db) -> Result<(), SagaError> {
        Ok(db.migrate(rows::COMPONENT, rows::MIGRATIONS).await?)
    }

    /// The types of message that its service has to subscribe to.
    pub fn message_types(&self) -> Vec<&'static str> {
        let mut types: Vec<_> = self
            .plans
            .iter()
            .flat_map(|plan| plan.reply_types())
            .collect();
        types.sort_unstable();
        types.dedup();
        types
    }

    /// Takes a message: it starts an instance, or it is a reply, or nobody waits for it, and then
    /// no instance took part.
    pub async fn handle(&self, tx: &mut Tx, envelope: &Envelope) -> Result<Handled, SagaError> {
        let mut handled = Handled::default();
        let mut last = None;
        for plan in &self.plans {
            // The highest version of each name comes first.
            let is_newest = last.replace(plan.name()) != Some(plan.name());
            if is_newest && plan.starts_with(envelope) {
                self.start(tx, &**plan, envelope, &mut handled).await?;
            }
        }
        if self.plans.iter().any(|plan| plan.has_reply(envelope)) {
            self.reply(tx, envelope, &mut handled).await?;
        }
        Ok(handled)
    }

    /// Tells up to `max` instances that a deadline of theirs has passed. Each is decided in the
    /// given transaction, and other processes pass over them meanwhile. Those whose plan isn't
    /// registered are left for later: see [`Orchestrator::without_plan`].
    pub async fn due(&self, tx: &mut Tx, max: u32) -> Result<Handled, SagaError> {
        let now = tx.now();
        let mut handled = Handled::default();
        for mut stored in rows::due(tx, &self.versions(), max).await? {
            let plan = self.plan_of(&stored)?;
            for input in plan.due(&stored, now)? {
                let turned = plan.decide(&stored, input, now)?;
                stored.body.clone_from(&turned.body);
                self.keep(tx, &stored, turned, None, &mut handled).await?;
            }
        }
        Ok(handled)
    }

    /// When the next deadline of an instance is whose plan is registered.
    pub async fn due_at(&self, db: &Db) -> Result<Option<Timestamp>, SagaError> {
        rows::due_at(db, &self.versions()).await
    }

    /// The names and versions of the plans.
    fn versions(&self) -> Vec<(&'static str, u32)> {
        let plans = self.plans.iter();
        plans.map(|plan| (plan.name(), plan.version())).collect()
    }

    async fn start(
        &self,
        tx: &mut Tx,
        plan: &dyn AnyPlan,
        envelope: &Envelope,
        handled: &mut Handled,
    ) -> Result<(), SagaError> {
        let (name, id) = (plan.name(), envelope.correlation_id.as_str());
        let turned = plan.start(SagaId(id.to_owned()), envelope, tx.now())?;
        if !rows::insert(tx, name, plan.version(), id, envelope, &turned).await? {
            // The same request started it before, with another message.
            let reply = envelope.message_type.clone();
            return rows::log(tx, name, id, &crate::Entry::Late { reply }).await;
        }
        let context = self.context.caused_by(envelope);
        carry_out(tx, (name, id), turned, &context, handled).await
    }

    async fn reply(
        &self,
        tx: &mut Tx,
        envelope: &Envelope,
        handled: &mut Handled,
    ) -> Result<(), SagaError> {
        for stored in rows::locked(tx, &envelope.correlation_id).await? {
            let plan = self.plan_of(&stored)?;
            if !plan.has_reply(envelope) {
                continue;
            }
            let to = match &envelope.metadata.causation_id {
                Some(cause) => rows::command(tx, cause, &stored.name, &stored.id).await?,
                None => None,
            };
            let input = Input::Reply(Reply { envelope, to });
            let turned = plan.decide(&stored, input, tx.now())?;
            self.keep(tx, &stored, turned, Some(envelope), handled)
                .await?;
        }
        Ok(())
    }

    /// Stores what a decision made of an instance, and collects what it wants to be sent.
    pub(crate) async fn keep(
        &self,
        tx: &mut Tx,
        stored: &Stored,
        turned: Turned,
        cause: Option<&Envelope>,
        handled: &mut Handled,
    ) -> Result<(), SagaError> {
        let (name, id) = (stored.name.as_str(), stored.id.as_str());
        rows::update(tx, name, id, &turned).await?;
        let context = match cause {
            Some(cause) => self.context.caused_by(cause),
            // Deadlines and operators go on with the request that started the instance.
            None => {
                let start = Envelope::decode(stored.started_by.as_bytes(), ENVELOPE_BYTES_MAX)
                    .map_err(|error| SagaError::unreadable(name, id, error))?;
                self.context.caused_by(&start)
            }
        };
        carry_out(tx, (name, id), turned, &context, handled).await
    }

    /// The plan that an instance goes by.
    pub(crate) fn plan_of(&self, stored: &Stored) -> Result<&dyn AnyPlan, SagaError> {
        let mut plans = self.plans.iter();
        let plan = plans
            .find(|plan| plan.name() == stored.name && plan.version() == stored.version)
            .ok_or_else(|| SagaError::NoSuchPlan {
                name: stored.name.clone(),
                version: stored.version,
            })?;
        Ok(&**plan)
    }

    /// Whether the plan of an instance is registered.
    pub(crate) fn knows(&self, stored: &Stored) -> bool {
        self.plan_of(stored).is_ok()
    }
}

pub(crate) fn no_such_instance(name: &str, id: &str) -> SagaError {
    SagaError::NoSuchInstance {
        name: name.to_owned(),
        id: SagaId(id.to_owned()),
    }
}

/// Does what a decision wants of an instance that is stored, and collects what is to be sent.
async fn carry_out(
    tx: &mut Tx,
    (name, id): (&str, &str),
    turned: Turned,
    context: &Context,
    handled: &mut Handled,
) -> Result<(), SagaError> {
    for effect in turned.effects {
        match effect {
            Effect::Command {
                step,
                attempt,
                action,
                draft,
            } => {
                let action_id = RawJson::of(&format!("{name}/{id}/{step}"))
                    .map_err(|error| SagaError::unreadable(name, id, error))?;
                let context = context.clone().with_metadata(ACTION_ID, action_id);
                let to = Destination::Queue(draft.topic.to_owned());
                let command = outgoing(draft, to, tx.now(), &context);
                let attempt = (step, attempt, action);
                rows::note_command(tx, &command.message_id, (name, id), attempt).await?;
                handled.messages.push(command);
            }
            Effect::Event(draft) => {
                let to = Destination::Topic(draft.topic.to_owned());
                handled
                    .messages
                    .push(outgoing(draft, to, tx.now(), context));
            }
            Effect::Alert(alert) => handled.alerts.push(alert),
            Effect::Log(entry) => rows::log(tx, name, id, &entry).await?,
        }
    }
    if turned.status.is_ended() {
        rows::forget_commands(tx, name, id).await?;
    }
    handled.instances += 1;
    Ok(())
}

/// A draft in an envelope, on its way.
fn outgoing(draft: Draft, to: Destination, now: Timestamp, context: &Context) -> Outgoing {
    let Draft {
        message_type,
        version,
        key,
        data,
        ..
    } = draft;
    let envelope = Envelope::with_data(message_type, version, data, now, context);
    Outgoing::json(to, envelope.message_id.clone(), envelope.encode()).with_key(key.0)
}
