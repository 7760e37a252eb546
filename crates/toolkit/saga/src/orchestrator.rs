//! The orchestrator: keeps instances in the service's database.

use bytes::Bytes;
use stele_toolkit_bus::{Destination, Headers, Outgoing};
use stele_toolkit_envelope::{Context, Envelope, Metadata, RawJson, Timestamp};
use stele_toolkit_sql::{
    Db, Tx,
    sqlx::{self, Row as _},
};

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
    /// given transaction, and other processes pass over them meanwhile.
    pub async fn due(&self, tx: &mut Tx, max: u32) -> Result<Handled, SagaError> {
        let now = tx.now();
        let text = rows::select("WHERE due_at <= $1 ORDER BY due_at LIMIT $2");
        let lock = match tx.db().dialect() {
            stele_toolkit_sql::Dialect::Sqlite => "",
            stele_toolkit_sql::Dialect::Postgres => " FOR UPDATE SKIP LOCKED",
        };
        let query = sqlx::query(tx.db().sql(&(text + lock)))
            .bind(now.as_micros())
            .bind(i64::from(max));
        let rows = query.fetch_all(&mut **tx).await?;
        let mut handled = Handled::default();
        for row in &rows {
            let mut stored = Stored::read(row)?;
            let plan = self.plan_of(&stored)?;
            for input in plan.due(&stored.body, now)? {
                let turned = plan.decide(&stored.body, input, now)?;
                stored.body.clone_from(&turned.body);
                self.keep(tx, &stored, turned, None, &mut handled).await?;
            }
        }
        Ok(handled)
    }

    /// When the next deadline of an instance is.
    pub async fn due_at(&self, db: &Db) -> Result<Option<Timestamp>, SagaError> {
        let mut reader = db.reader().await?;
        let text = "SELECT MIN(due_at) FROM {p}sagas WHERE due_at IS NOT NULL";
        let row = sqlx::query(db.sql(text)).fetch_one(&mut *reader).await?;
        let first: Option<i64> = row.try_get(0)?;
        Ok(first.map(Timestamp::from_micros))
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
        let stored = rows::locked(tx, id).await?;
        let stored = stored.into_iter().find(|stored| stored.name == name);
        let Some(stored) = stored else {
            return Err(no_such_instance(name, id));
        };
        self.keep(tx, &stored, turned, Some(envelope), handled)
            .await
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
            let turned = plan.decide(&stored.body, input, tx.now())?;
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
                let start = Envelope::decode(stored.started_by.as_bytes(), ENVELOPE_BYTES_MAX)?;
                self.context.caused_by(&start)
            }
        };
        for effect in turned.effects {
            match effect {
                Effect::Command {
                    step,
                    attempt,
                    action,
                    draft,
                } => {
                    let action_id = format!("{name}/{id}/{step}");
                    let action_id = RawJson::of(&action_id)
                        .map_err(|error| SagaError::unreadable(name, id, error))?;
                    let context = context.clone().with_metadata(ACTION_ID, action_id);
                    let envelope = envelope_of(draft, tx.now(), &context);
                    let attempt = (step, attempt, action);
                    rows::note_command(tx, &envelope.0.message_id, (name, id), attempt).await?;
                    let to = Destination::Queue(envelope.1.to_owned());
                    handled.messages.push(outgoing(&envelope.0, to, envelope.2));
                }
                Effect::Event(draft) => {
                    let envelope = envelope_of(draft, tx.now(), &context);
                    let to = Destination::Topic(envelope.1.to_owned());
                    handled.messages.push(outgoing(&envelope.0, to, envelope.2));
                }
                Effect::Alert(alert) => handled.alerts.push(alert),
                Effect::Log(entry) => rows::log(tx, name, id, &entry).await?,
                // The deadline is in the instance's row.
                Effect::Timer { .. } => {}
            }
        }
        if turned.status.is_ended() {
            rows::forget_commands(tx, name, id).await?;
        }
        handled.instances += 1;
        Ok(())
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

/// A draft's envelope, with its topic and key.
fn envelope_of(
    draft: Draft,
    now: Timestamp,
    context: &Context,
) -> (Envelope, &'static str, String) {
    let message_id = context.ids.message_id(now);
    let correlation_id = context.correlation_id.as_ref().unwrap_or(&message_id);
    let envelope = Envelope {
        correlation_id: correlation_id.clone(),
        message_type: draft.message_type.to_owned(),
        version: draft.version,
        timestamp: now,
        source: context.source.clone(),
        data: draft.data,
        metadata: Metadata {
            trace: context.trace.clone(),
            user_id: context.user_id.clone(),
            causation_id: context.causation_id.clone(),
            sequence: None,
            reply_to: None,
            unknown: context.metadata.clone(),
        },
        unknown: stele_toolkit_envelope::Fields::new(),
        message_id,
    };
    (envelope, draft.topic, draft.key.0)
}

fn outgoing(envelope: &Envelope, to: Destination, key: String) -> Outgoing {
    Outgoing {
        key,
        headers: Headers::new(),
        ..Outgoing::json(
            to,
            envelope.message_id.clone(),
            Bytes::from(envelope.encode()),
        )
    }
}
