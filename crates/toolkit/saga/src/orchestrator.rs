//! The orchestrator: keeps instances in the service's database.

use std::{
    any::Any,
    cmp::Reverse,
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use stele_toolkit_bus::{Destination, Outgoing, Reads};
use stele_toolkit_envelope::{Context, Envelope, RawJson, Timestamp};
use stele_toolkit_sql::{Db, Tx};

use crate::{
    Answered, Correlation, Draft, Effect, Entry, Filter, Instances, Listed, Operator, Plan,
    Process, Saga, SagaError, SagaId, Status,
    any_plan::{AnyPlan, Turned, name_of},
    ended,
    process::ProcessPlan,
    rows::{self, Stored},
};

/// The field of a command's metadata that names the step of the instance: the same for each attempt
/// at doing it and at undoing it.
pub(crate) const ACTION_ID: &str = "actionId";

/// The largest stored envelope that is read back.
const ENVELOPE_BYTES_MAX: usize = 16 << 20;

/// When an instance is looked at again whose deadline couldn't be told to it.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// Keeps the instances of sagas, processes and correlations, and says what is to be sent.
///
/// It works in transactions of the service's database that others begin and commit: a handler's, or
/// that of the loop that looks after deadlines. What it returns has to be sent if and only if the
/// transaction is committed: by the outbox. [`crate::WithSagas`] does all that in a service.
#[derive(Debug)]
pub struct Orchestrator {
    plans: Vec<Arc<dyn AnyPlan>>,
    context: Context,
}

/// What came of a message or a deadline.
#[derive(Debug, Default)]
#[must_use = "the messages are to be sent with the transaction"]
pub struct Handled {
    /// Commands and events to send if the transaction is committed.
    pub messages: Vec<Outgoing>,
    /// What a person should know: an instance that doesn't get further.
    pub alerts: Vec<SagaAlert>,
    /// How many instances took part.
    pub instances: usize,
    /// What was added to the histories of instances.
    pub entries: Vec<NewEntry>,
    /// How late deadlines were told.
    pub lateness: Vec<Duration>,
    /// The earliest deadline of the instances that took part.
    pub due_at: Option<Timestamp>,
}

/// What a person should know of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SagaAlert {
    /// The saga's name.
    pub name: String,
    /// The instance.
    pub id: SagaId,
    /// What is wrong.
    pub text: String,
}

/// What was added to the history of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// The saga's name.
    pub name: String,
    /// The instance.
    pub id: SagaId,
    /// The entry.
    pub entry: Entry,
}

impl Orchestrator {
    /// An orchestrator without sagas, whose messages come from `context`.
    pub fn new(context: Context) -> Self {
        Self::of(Vec::new(), context)
    }

    pub(crate) fn of(plans: Vec<Arc<dyn AnyPlan>>, context: Context) -> Self {
        let mut plans = plans;
        // The highest version of each name comes first.
        plans.sort_by_key(|plan| (plan.name(), Reverse(plan.version())));
        Self { plans, context }
    }

    /// Registers a version of a saga. New instances go by the highest version of its name; those
    /// that are there go on by their own, for as long as it is registered.
    #[must_use]
    pub fn with<S: Saga>(self) -> Self {
        self.and(Arc::new(Plan::<S>::new()))
    }

    /// Registers a version of a process.
    #[must_use]
    pub fn process<P: Process>(self) -> Self {
        self.and(Arc::new(ProcessPlan::<P>::new()))
    }

    /// Registers a correlation.
    #[must_use]
    pub fn correlation(self, correlation: Correlation) -> Self {
        self.and(Arc::new(correlation))
    }

    fn and(mut self, plan: Arc<dyn AnyPlan>) -> Self {
        self.plans.push(plan);
        Self::of(self.plans, self.context)
    }

    /// Makes the tables, and notes there which plans this process has.
    pub async fn migrate(&self, db: &Db) -> Result<(), SagaError> {
        db.migrate(rows::COMPONENT, rows::MIGRATIONS).await?;
        let mut tx = db.begin().await?;
        for plan in &self.plans {
            rows::note_plan(&mut tx, plan.name(), plan.version(), plan.diagram()).await?;
        }
        Ok(tx.commit().await?)
    }

    /// The types of message that its service has to subscribe to.
    pub fn message_types(&self) -> Vec<&'static str> {
        let mut types: Vec<_> = reads(&self.plans).into_iter().filter_map(name_of).collect();
        types.sort_unstable();
        types
    }

    /// Takes a message: it starts an instance, or it is a reply, or nobody waits for it, and then
    /// no instance took part.
    pub async fn handle(&self, tx: &mut Tx, envelope: &Envelope) -> Result<Handled, SagaError> {
        let mut handled = Handled::default();
        let mut last = None;
        let mut started = HashSet::new();
        for plan in &self.plans {
            let is_newest = last.replace(plan.name()) != Some(plan.name());
            if is_newest
                && plan.starts_with(envelope)
                && self.start(tx, &**plan, envelope, &mut handled).await?
            {
                started.insert(plan.name());
            }
        }
        if self.plans.iter().any(|plan| plan.takes(envelope)) {
            self.message(tx, envelope, &started, &mut handled).await?;
        }
        Ok(handled)
    }

    /// Tells up to `max` instances that a deadline of theirs has passed. Each is decided in the
    /// given transaction, and other processes pass over them meanwhile. Those whose plan isn't
    /// registered are left for later: see [`Orchestrator::without_plan`]. One that can't be decided
    /// is looked at again a minute later, and a person is told once.
    pub async fn due(&self, tx: &mut Tx, max: u32) -> Result<Handled, SagaError> {
        let now = tx.now();
        let mut handled = Handled::default();
        for stored in rows::due(tx, &self.versions(), max).await? {
            let (turned, context) = match self.decide_due(&stored, now) {
                Ok(decided) => decided,
                Err(error) => {
                    postpone(tx, &stored, &error, &mut handled).await?;
                    continue;
                }
            };
            handled
                .lateness
                .extend(stored.due_at.map(|at| now.since(at)));
            keep(tx, &stored, turned, &context, &mut handled).await?;
        }
        Ok(handled)
    }

    /// Deletes up to `max` instances that ended before this time, with their histories, and says
    /// how many: of sagas that are registered here in any version. Those that are stuck stay.
    pub async fn delete_ended(
        &self,
        tx: &mut Tx,
        before: Timestamp,
        max: u32,
    ) -> Result<u32, SagaError> {
        let mut names: Vec<_> = self.plans.iter().map(|plan| plan.name()).collect();
        names.dedup();
        let mut deleted = 0;
        for name in names {
            deleted += ended::delete(tx, name, before, max - deleted).await?;
        }
        Ok(deleted)
    }

    /// When the next deadline of an instance is whose plan is registered.
    pub async fn due_at(&self, db: &Db) -> Result<Option<Timestamp>, SagaError> {
        rows::due_at(db, &self.versions()).await
    }

    /// Intervenes in an instance.
    pub async fn operate(
        &self,
        tx: &mut Tx,
        name: &str,
        id: &SagaId,
        action: Operator,
    ) -> Result<Handled, SagaError> {
        let mut stored = rows::locked(tx, &id.0).await?.into_iter();
        let stored = stored
            .find(|stored| stored.name == name)
            .ok_or_else(|| no_such_instance(name, &id.0))?;
        let plan = self.plan_of(&stored)?;
        let turned = caught(&stored, || plan.operate(&stored, action, tx.now()))?;
        let context = self.context_of(&stored)?;
        let mut handled = Handled::default();
        keep(tx, &stored, turned, &context, &mut handled).await?;
        Ok(handled)
    }

    /// The instances that stand still because this program doesn't know their plan: of up to `max`
    /// that haven't ended. Look at them when the program starts.
    pub async fn without_plan(&self, db: &Db, max: u32) -> Result<Vec<Listed>, SagaError> {
        let mut found = Vec::new();
        for status in [Status::Running, Status::Undoing] {
            let filter = Filter {
                status: Some(status),
                ..Filter::default()
            };
            found.extend(Instances::of(db).list(&filter, max).await?);
        }
        let versions = self.versions();
        let is_known = |listed: &Listed| {
            let mut versions = versions.iter();
            versions.any(|(name, version)| *name == listed.name && *version == listed.version)
        };
        found.retain(|listed| !is_known(listed));
        Ok(found)
    }

    /// The names and versions of the plans.
    pub(crate) fn versions(&self) -> Vec<(&'static str, u32)> {
        let plans = self.plans.iter();
        plans.map(|plan| (plan.name(), plan.version())).collect()
    }

    /// Starts an instance, and says whether there was none.
    async fn start(
        &self,
        tx: &mut Tx,
        plan: &dyn AnyPlan,
        envelope: &Envelope,
        handled: &mut Handled,
    ) -> Result<bool, SagaError> {
        let (name, id) = (plan.name(), envelope.correlation_id.as_str());
        let turned = plan.start(id, envelope, tx.now())?;
        if rows::insert(tx, name, plan.version(), id, envelope, &turned).await? {
            let context = self.context.caused_by(envelope);
            carry_out(tx, (name, id), turned, &context, handled).await?;
            return Ok(true);
        }
        if !plan.takes(envelope) {
            // The same request started it before, with another message.
            let reply = envelope.message_type.clone();
            note(tx, (name, id), Entry::Late { reply }, handled).await?;
        }
        Ok(false)
    }

    /// Gives a message to the instances of its correlation id, but for those that it started.
    async fn message(
        &self,
        tx: &mut Tx,
        envelope: &Envelope,
        started: &HashSet<&'static str>,
        handled: &mut Handled,
    ) -> Result<(), SagaError> {
        for stored in rows::locked(tx, &envelope.correlation_id).await? {
            let of_name = |plan: &&Arc<dyn AnyPlan>| plan.name() == stored.name;
            let mut named = self.plans.iter().filter(of_name);
            // Others may keep instances in the same tables.
            let is_wanted = named.any(|plan| plan.takes(envelope));
            if !is_wanted || started.contains(stored.name.as_str()) {
                continue;
            }
            let plan = self.plan_of(&stored)?;
            if !plan.takes(envelope) {
                continue;
            }
            let to = match &envelope.metadata.causation_id {
                Some(cause) => rows::command(tx, cause, &stored.name, &stored.id).await?,
                None => Answered::Unsaid,
            };
            let turned = plan.message(&stored, envelope, to, tx.now())?;
            let context = self.context.caused_by(envelope);
            keep(tx, &stored, turned, &context, handled).await?;
        }
        Ok(())
    }

    /// Everything that a deadline needs and that may fail because of the instance.
    fn decide_due(&self, stored: &Stored, now: Timestamp) -> Result<(Turned, Context), SagaError> {
        let plan = self.plan_of(stored)?;
        let turned = caught(stored, || plan.due(stored, now))?;
        Ok((turned, self.context_of(stored)?))
    }

    /// Deadlines and operators go on with the request that started the instance.
    fn context_of(&self, stored: &Stored) -> Result<Context, SagaError> {
        let start = Envelope::decode(stored.started_by.as_bytes(), ENVELOPE_BYTES_MAX)
            .map_err(|error| SagaError::unreadable(&stored.name, &stored.id, error))?;
        Ok(self.context.caused_by(&start))
    }

    /// The plan that an instance goes by.
    fn plan_of(&self, stored: &Stored) -> Result<&dyn AnyPlan, SagaError> {
        let mut plans = self.plans.iter();
        let plan = plans
            .find(|plan| plan.name() == stored.name && plan.version() == stored.version)
            .ok_or_else(|| SagaError::NoSuchPlan {
                name: stored.name.clone(),
                version: stored.version,
            })?;
        Ok(&**plan)
    }
}

/// The types of messages that plans want, each once.
pub(crate) fn reads(plans: &[Arc<dyn AnyPlan>]) -> Vec<Reads> {
    let mut all: Vec<Reads> = Vec::new();
    for reads in plans.iter().flat_map(|plan| plan.reads()) {
        if !all.contains(&reads) {
            all.push(reads);
        }
    }
    all
}

pub(crate) fn no_such_instance(name: &str, id: &str) -> SagaError {
    SagaError::NoSuchInstance {
        name: name.to_owned(),
        id: SagaId(id.to_owned()),
    }
}

/// A decision whose panic is an error. Of a message's decision, its handler's panic is caught.
fn caught(
    stored: &Stored,
    decide: impl FnOnce() -> Result<Turned, SagaError>,
) -> Result<Turned, SagaError> {
    let panicked = |panic: Box<dyn Any + Send>| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(SagaError::Panicked {
            name: stored.name.clone(),
            id: stored.id.clone(),
            text: text.unwrap_or("without a text").to_owned(),
        })
    };
    catch_unwind(AssertUnwindSafe(decide)).unwrap_or_else(panicked)
}

/// Leaves an instance that can't be decided for later, so that it holds up no other.
async fn postpone(
    tx: &mut Tx,
    stored: &Stored,
    error: &SagaError,
    handled: &mut Handled,
) -> Result<(), SagaError> {
    rows::postpone(tx, stored, tx.now() + LOOK_AGAIN).await?;
    let (name, id) = (&stored.name, &stored.id);
    tracing::error!(saga = name, id, "a deadline can't be told: {error}");
    if !stored.is_stuck {
        handled.alerts.push(SagaAlert {
            name: name.clone(),
            id: SagaId(id.clone()),
            text: format!("its deadline can't be told to it: {error}"),
        });
    }
    Ok(())
}

/// Stores what a decision made of an instance, and collects what it wants to be sent.
async fn keep(
    tx: &mut Tx,
    stored: &Stored,
    turned: Turned,
    context: &Context,
    handled: &mut Handled,
) -> Result<(), SagaError> {
    let (name, id) = (stored.name.as_str(), stored.id.as_str());
    rows::update(tx, name, id, &turned).await?;
    carry_out(tx, (name, id), turned, context, handled).await
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
                let command = command((name, id), &step.to_string(), draft, tx.now(), context)?;
                let attempt = (step, attempt, action);
                rows::note_command(tx, &command.message_id, (name, id), attempt).await?;
                handled.messages.push(command);
            }
            Effect::Act { action, draft } => {
                let command = command((name, id), &action, draft, tx.now(), context)?;
                handled.messages.push(command);
            }
            Effect::Event(draft) => {
                let to = Destination::Topic(draft.topic.to_owned());
                let key = draft.key.0.clone();
                let event = outgoing(draft, to, tx.now(), context).with_key(key);
                handled.messages.push(event);
            }
            Effect::Alert(text) => handled.alerts.push(SagaAlert {
                name: name.to_owned(),
                id: SagaId(id.to_owned()),
                text,
            }),
            Effect::Log(entry) => note(tx, (name, id), entry, handled).await?,
        }
    }
    if turned.status.is_ended() {
        rows::forget_commands(tx, name, id).await?;
    }
    handled.due_at = handled.due_at.into_iter().chain(turned.due_at).min();
    handled.instances += 1;
    Ok(())
}

/// Adds to the history of an instance.
async fn note(
    tx: &mut Tx,
    (name, id): (&str, &str),
    entry: Entry,
    handled: &mut Handled,
) -> Result<(), SagaError> {
    rows::log(tx, name, id, &entry).await?;
    handled.entries.push(NewEntry {
        name: name.to_owned(),
        id: SagaId(id.to_owned()),
        entry,
    });
    Ok(())
}

/// A command of an instance. The instance's id is its key, so that a command and what undoes it
/// keep their order.
fn command(
    (name, id): (&str, &str),
    action: &str,
    draft: Draft,
    now: Timestamp,
    context: &Context,
) -> Result<Outgoing, SagaError> {
    let action_id = RawJson::of(&format!("{name}/{id}/{action}"))
        .map_err(|error| SagaError::unreadable(name, id, error))?;
    let context = context.clone().with_metadata(ACTION_ID, action_id);
    let to = Destination::Queue(draft.topic.to_owned());
    Ok(outgoing(draft, to, now, &context).with_key(id))
}

/// A draft in an envelope, on its way.
fn outgoing(draft: Draft, to: Destination, now: Timestamp, context: &Context) -> Outgoing {
    let Draft {
        message_type,
        version,
        data,
        ..
    } = draft;
    let envelope = Envelope::with_data(message_type, version, data, now, context);
    Outgoing::json(to, envelope.message_id.clone(), envelope.encode())
}
