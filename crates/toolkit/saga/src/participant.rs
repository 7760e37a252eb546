//! The other side of a step: a service that does it once, and undoes it once, in whatever order the
//! commands come.
//!
//! | what comes | before it | what happens |
//! |---|---|---|
//! | do | nothing | it is done, and the reply is kept |
//! | do | do | the kept reply is sent again |
//! | do | undo | refused: the action is cancelled |
//! | undo | do | it is undone |
//! | undo | undo | nothing |
//! | undo | nothing | the action is cancelled, so that a late "do" is refused |

use stele_toolkit_bus::{Call, FromMessage, Refusal};
use stele_toolkit_envelope::Envelope;
use stele_toolkit_sql::{
    Db, Tx,
    sqlx::{self, Row as _},
};

use crate::{SagaError, orchestrator::ACTION_ID, rows};

const DONE: &str = "done";
const CANCELLED: &str = "cancelled";

/// What a command does or undoes: the same for all attempts at a step of an instance. As an
/// argument of a handler it has commands without one refused.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ActionId(pub String);

impl ActionId {
    /// The action of a command.
    ///
    /// # Errors
    ///
    /// [`SagaError::NoActionId`] if no orchestrator sent it.
    pub fn of(command: &Envelope) -> Result<Self, SagaError> {
        let id = command.metadata.unknown.value(ACTION_ID);
        let id = id.and_then(|id| id.string());
        id.map(Self).ok_or(SagaError::NoActionId)
    }
}

impl FromMessage for ActionId {
    fn from_message(call: &mut Call<'_>) -> Result<Self, Refusal> {
        let first = call.received().first();
        let envelope = first.and_then(|received| received.envelope.as_ref());
        let action = envelope.map_or(Err(SagaError::NoActionId), Self::of);
        action.map_err(|error| Refusal::new("no_action_id", error.to_string()))
    }
}

/// Remembers the actions that commands of sagas asked for, in the transaction that does them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Participant;

/// What to do about a command that does a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// Do it, and tell [`Participant::done`] in the same transaction.
    Do,
    /// It was done before: send this reply again.
    Again(String),
    /// It was cancelled before it came: don't do it, and reply that it wasn't done.
    Cancelled,
}

/// What to do about a command that undoes a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It was done: undo it, in the same transaction.
    Undo,
    /// There is nothing to undo: reply that it is undone.
    Nothing,
}

impl Participant {
    /// Makes the table.
    pub async fn migrate(&self, db: &Db) -> Result<(), SagaError> {
        Ok(db.migrate(rows::COMPONENT, rows::MIGRATIONS).await?)
    }

    /// Takes a command that does a step.
    pub async fn begin(&self, tx: &mut Tx, action: &ActionId) -> Result<Begun, SagaError> {
        if insert(tx, &action.0, DONE).await? {
            return Ok(Begun::Do);
        }
        let (state, reply) = state(tx, &action.0).await?;
        Ok(match (state.as_str(), reply) {
            (CANCELLED, _) => Begun::Cancelled,
            (_, Some(reply)) => Begun::Again(reply),
            // Done by a handler that kept no reply.
            (_, None) => Begun::Again(String::new()),
        })
    }

    /// Keeps the reply to an action, as text, to be sent again if the command comes again.
    pub async fn done(&self, tx: &mut Tx, action: &ActionId, reply: &str) -> Result<(), SagaError> {
        let text = "UPDATE {p}saga_actions SET reply = $2 WHERE id = $1";
        let query = sqlx::query(tx.db().sql(text))
            .bind(action.0.clone())
            .bind(reply.to_owned());
        query.execute(&mut **tx).await?;
        Ok(())
    }

    /// Takes a command that undoes a step.
    pub async fn cancel(&self, tx: &mut Tx, action: &ActionId) -> Result<Cancelled, SagaError> {
        let id = action.0.clone();
        if insert(tx, &id, CANCELLED).await? {
            return Ok(Cancelled::Nothing);
        }
        let text = "UPDATE {p}saga_actions SET state = $2 WHERE id = $1 AND state <> $2";
        let query = sqlx::query(tx.db().sql(text)).bind(id).bind(CANCELLED);
        let was_done = query.execute(&mut **tx).await?.rows_affected() == 1;
        Ok(match was_done {
            true => Cancelled::Undo,
            false => Cancelled::Nothing,
        })
    }
}

/// Notes an action; says whether nothing was known of it.
async fn insert(tx: &mut Tx, id: &str, state: &'static str) -> Result<bool, SagaError> {
    let text = "INSERT INTO {p}saga_actions (id, state, at) VALUES ($1, $2, $3)
        ON CONFLICT DO NOTHING";
    let now = tx.now().as_micros();
    let query = sqlx::query(tx.db().sql(text))
        .bind(id.to_owned())
        .bind(state)
        .bind(now);
    Ok(query.execute(&mut **tx).await?.rows_affected() == 1)
}

async fn state(tx: &mut Tx, id: &str) -> Result<(String, Option<String>), SagaError> {
    let text = "SELECT state, reply FROM {p}saga_actions WHERE id = $1";
    let query = sqlx::query(tx.db().sql(text)).bind(id.to_owned());
    let row = query.fetch_one(&mut **tx).await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}
