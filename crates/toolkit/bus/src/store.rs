//! What a service keeps of the messages that it handles.
//!
//! ```text
//! begin(claim) ─► Work ──── handler runs: lends the transaction, collects messages to send
//!      │            ├─ commit ─► "handled", own data and messages to send: all or nothing
//!      │            └─ rollback (or drop) ─► nothing happened
//!      ├─► Duplicate: handled before                                    → acknowledge
//!      ├─► Behind: an earlier message of its key waits or is dead       → park, acknowledge
//!      └─► TooOld: so old that nobody knows whether it was handled      → dead letter
//! ```

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt::{self, Debug},
};

use async_trait::async_trait;
use stele_toolkit_envelope::Timestamp;

use crate::Outgoing;

/// Keeps what a service knows of the messages that it has handled: in its database, or nowhere.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// Opens the unit of work for a message, and claims it for a handler: of several who claim the
    /// same one, one commits, and the others find it handled.
    async fn begin(&self, claim: &Claim<'_>) -> Result<Begun, StoreError>;

    /// Counts an attempt at a message before its handler runs, in a transaction of its own, and
    /// returns how many there were, this one included: a message that kills its process is found
    /// out. Called for messages that may have been delivered before.
    async fn count_attempt(&self, claim: &Claim<'_>) -> Result<u32, StoreError>;

    /// Whether it keeps anything. Without, duplicates aren't found, and messages are sent before
    /// the delivery is acknowledged, with nothing that holds the two together.
    fn is_durable(&self) -> bool;
}

/// A message that a handler is to handle.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The handler's name, with its service's.
    pub handler: &'a str,
    /// The message's id.
    pub message_id: &'a str,
    /// The message's own time, which decides how long it is remembered.
    pub timestamp: Timestamp,
    /// The message's key, or nothing.
    pub key: &'a str,
    /// Whether messages of a key wait for each other.
    pub order: KeyOrder,
    /// Whether this message was parked itself, so that it doesn't wait for itself.
    pub is_parked: bool,
    /// The time now.
    pub now: Timestamp,
}

/// Whether the later messages of a key wait while an earlier one waits for its retry or is dead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyOrder {
    /// They wait.
    Strict,
    /// They don't.
    #[default]
    Relaxed,
}

/// What came of a claim.
#[derive(Debug)]
pub enum Begun {
    /// The message is to be handled in this unit of work.
    Work(Box<dyn Work>),
    /// It was handled before.
    Duplicate,
    /// An earlier message of its key waits or is dead.
    Behind,
    /// It is older than what is remembered.
    TooOld,
}

/// A unit of work: everything that handling a message changes, committed as one.
///
/// Dropping it is a rollback.
#[async_trait]
pub trait Work: Debug + Send {
    /// Puts what handlers may take into `slot`: the open transaction.
    fn lend(&mut self, slot: &mut Extensions);

    /// Takes back what was lent. Fails if the handler kept it, in a task of its own for example.
    fn take_back(&mut self, slot: &mut Extensions) -> Result<(), StoreError>;

    /// Messages to send if and only if the work is committed.
    async fn send(&mut self, messages: Vec<Outgoing>) -> Result<(), StoreError>;

    /// Commits everything, the claim included.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;

    /// Undoes everything, the claim included.
    async fn rollback(self: Box<Self>) -> Result<(), StoreError>;
}

/// Why a store couldn't do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can't be reached, is busy, or gave up a transaction in favour of another. Try
    /// again: the message isn't at fault.
    #[error("the database isn't available: {0}")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The statement is wrong, or breaks a constraint. It fails again with the same message.
    #[error("the database refuses: {0}")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A handler returned while something else still held its transaction.
    #[error("the transaction leaked: a task that outlives the handler holds it")]
    Leaked,
}

/// Values by their types, which extractors take.
#[derive(Default)]
pub struct Extensions(HashMap<TypeId, Box<dyn Any + Send + Sync>>);

impl Extensions {
    /// No values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a value in, and returns the one of its type that was there.
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) -> Option<T> {
        let old = self.0.insert(TypeId::of::<T>(), Box::new(value))?;
        old.downcast().ok().map(|old| *old)
    }

    /// The value of a type.
    pub fn of<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.0.get(&TypeId::of::<T>())?.downcast_ref()
    }

    /// Takes the value of a type out.
    pub fn remove<T: Send + Sync + 'static>(&mut self) -> Option<T> {
        let value = self.0.remove(&TypeId::of::<T>())?;
        value.downcast().ok().map(|value| *value)
    }
}

impl Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values", self.0.len())
    }
}
