//! What a service keeps of the messages that it handles.
//!
//! ```text
//! begin(claim) ─► Work ──── handler runs: lends the transaction, collects messages to send
//!      │            ├─ commit ─► "handled", own data and messages to send: all or nothing
//!      │            └─ rollback (or drop) ─► nothing happened
//!      ├─► Duplicate: handled before                                    → acknowledge
//!      ├─► Waiting: parked or dead itself                               → acknowledge
//!      ├─► Behind: an earlier message of its key waits or is dead       → park, acknowledge
//!      └─► TooOld: so old that nobody knows whether it was handled      → bury, acknowledge
//!
//! a failure ─► park ─► due ─► begin …          one call that keeps everything about the message,
//!           └► bury                            so that its delivery can be acknowledged
//! ```

use std::{error::Error, fmt::Debug, sync::Arc, time::Duration};

use async_trait::async_trait;
use stele_toolkit_envelope::Timestamp;

use crate::{Extensions, FailureClass, Incoming, Origin, Outgoing, Story, Transport};

/// Keeps what a service knows of the messages that it has handled: in its database, or nowhere.
///
/// Messages of one service and key are in the order in which they were parked first. What a
/// message *waits for* are the parked and dead messages of its service and key before it.
#[async_trait]
pub trait Store: Debug + Send + Sync + 'static {
    /// Opens the unit of work for a message, and claims it for a handler: of several who claim the
    /// same one, one commits, and the others find it handled.
    async fn begin(&self, claim: &Claim<'_>) -> Result<Begun, StoreError>;

    /// Counts an attempt at a message before its handler runs, in a transaction of its own, and
    /// returns how many there were, this one included: a message that kills its process is found
    /// out. Called for messages that may have been delivered before.
    async fn count_attempt(&self, claim: &Claim<'_>) -> Result<u32, StoreError>;

    /// Puts a message aside, in a transaction of its own. One that is parked or dead already keeps
    /// its place among those of its key; everything else of it is replaced.
    async fn park(&self, claim: &Claim<'_>, parking: &Parking<'_>) -> Result<(), StoreError>;

    /// Takes parked messages out for another attempt: those that are due and, unless their order is
    /// [`KeyOrder::Relaxed`], wait for none. Nobody else gets them until the lease is over, and
    /// the attempt is counted now, before it is made.
    async fn due(&self, query: &DueQuery<'_>) -> Result<Due, StoreError>;

    /// Makes a message a dead one, in a transaction of its own, and sends its letter if and only if
    /// that is committed. It isn't parked any more, but those of its key that are in order wait
    /// for it. Burying a dead message again does nothing.
    async fn bury(&self, claim: &Claim<'_>, burial: &Burial<'_>) -> Result<(), StoreError>;

    /// Whether it keeps anything. Without, duplicates aren't found, messages are sent before the
    /// delivery is acknowledged with nothing that holds the two together, and nothing but `begin`
    /// is called.
    fn is_durable(&self) -> bool;

    /// The class of an error that a handler got from the database, or of what it wraps; `None` if
    /// it isn't one of the database.
    fn class_of(&self, _error: &(dyn Error + 'static)) -> Option<FailureClass> {
        None
    }

    /// Returns once something other than a service's own calls has made messages due, such as the
    /// retry of a dead letter: with a number that differs from `seen`, for the next call.
    async fn due_changed(&self, _seen: u64) -> u64 {
        std::future::pending().await
    }

    /// How often to ask for due messages although none is known to be due: messages of processes
    /// that are gone. `None`: [`Due::next`] and this process's own calls tell everything.
    fn poll_every(&self) -> Option<Duration> {
        None
    }

    /// Puts what works beside the handlers may take into `slot`: the database. By default nothing.
    fn lend(&self, _slot: &mut Extensions) {}

    /// What the store keeps of a service's messages; `None` if it keeps none.
    async fn backlog(&self, _service: &str) -> Result<Option<Backlog>, StoreError> {
        Ok(None)
    }

    /// Sends what was committed, for as long as it is polled. A service runs this beside its
    /// handlers; it returns only if it can't go on for now.
    async fn relay(&self, _transport: Arc<dyn Transport>) -> StoreError {
        std::future::pending().await
    }
}

/// A message that a handler is to handle.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The service: messages of a key wait for each other within it.
    pub service: &'a str,
    /// The handler's name, with its service's: a message is handled once by each handler.
    pub handler: &'a str,
    /// The message's id.
    pub message_id: &'a str,
    /// The message's own time, which decides how long it is remembered.
    pub timestamp: Timestamp,
    /// The message's key, or nothing.
    pub key: &'a str,
    /// Whether messages of a key wait for each other.
    pub order: KeyOrder,
    /// Whether the message comes back from where it was put aside, so that it isn't
    /// [`Unclaimed::Waiting`] for itself.
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
    /// It needs no work, or not now.
    Not(Unclaimed),
}

/// Why a message isn't to be handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unclaimed {
    /// It was handled before.
    Duplicate,
    /// It is parked or dead, and didn't come from there.
    Waiting,
    /// An earlier message of its key waits or is dead.
    Behind,
    /// It is older than what is remembered.
    TooOld,
}

/// A unit of work: everything that handling a message, or a batch of them, changes, committed as
/// one.
///
/// Dropping it is a rollback.
#[async_trait]
pub trait Work: Debug + Send {
    /// Claims another message in the same unit of work. It isn't part of it if this returns a
    /// reason why not.
    async fn join(&mut self, claim: &Claim<'_>) -> Result<Option<Unclaimed>, StoreError>;

    /// Puts what handlers may take into `slot`: the open transaction.
    fn lend(&mut self, slot: &mut Extensions);

    /// Takes back what was lent. Fails if the handler kept it, in a task of its own for example.
    fn take_back(&mut self, slot: &mut Extensions) -> Result<(), StoreError>;

    /// Messages to send if and only if the work is committed.
    async fn send(&mut self, messages: Vec<Outgoing>) -> Result<(), StoreError>;

    /// Commits everything, the claims included: what was parked is no longer.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;

    /// Undoes everything, the claims included.
    async fn rollback(self: Box<Self>) -> Result<(), StoreError>;
}

/// A message that is put aside.
#[derive(Clone, Copy, Debug)]
pub struct Parking<'a> {
    /// The message as it came.
    pub message: &'a Incoming,
    /// Where it lay.
    pub origin: &'a Origin,
    /// How many attempts at it count by now.
    pub attempts: u32,
    /// When it is to come back.
    pub due: Timestamp,
    /// Its failures so far; `None` if it has none.
    pub story: Option<&'a Story>,
}

/// Which parked messages are wanted.
#[derive(Clone, Copy, Debug)]
pub struct DueQuery<'a> {
    /// Whose.
    pub service: &'a str,
    /// The time now.
    pub now: Timestamp,
    /// For how long nobody else gets them.
    pub lease: Duration,
    /// How many at most.
    pub count_max: usize,
}

/// Parked messages that are due.
#[derive(Debug, Default)]
pub struct Due {
    /// They, in the order in which they were parked first.
    pub messages: Vec<Parked>,
    /// When to ask again, if nothing else happens: the earliest time at which another is due, or a
    /// lease ends. `None` if there is none.
    pub next: Option<Timestamp>,
}

/// A parked message, for another attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The handler, as in its claim.
    pub handler: String,
    /// The message's id, as in its claim.
    pub message_id: String,
    /// The message.
    pub message: Incoming,
    /// Where it lay.
    pub origin: Origin,
    /// How many attempts there are, this one included.
    pub attempts: u32,
    /// Its failures so far.
    pub story: Option<Story>,
}

/// How many messages of a service are put aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Those that wait for another attempt, or behind one of their key.
    pub parked: u64,
    /// Those that were given up, and that nobody has retried or dropped.
    pub dead: u64,
}

/// A message that is made a dead one.
#[derive(Clone, Copy, Debug)]
pub struct Burial<'a> {
    /// The message as it came.
    pub message: &'a Incoming,
    /// Where it lay.
    pub origin: &'a Origin,
    /// Its failures.
    pub story: &'a Story,
    /// What to send to the dead-letter queue. Its id is the dead letter's id.
    pub letter: &'a Outgoing,
}

/// Why a store couldn't do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can't be reached, is busy, or gave up a transaction in favour of another. Try
    /// again: the message isn't at fault.
    #[error("the database isn't available: {0}")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The statement is wrong, or breaks a constraint. It fails again with the same message.
    #[error("the database refuses: {0}")]
    Refused(#[source] Box<dyn Error + Send + Sync>),
    /// A handler returned while something else still held its transaction.
    #[error("the transaction leaked: a task that outlives the handler holds it")]
    Leaked,
}
