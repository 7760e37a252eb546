//! Who is told what becomes of each message.

use std::{fmt::Debug, time::Duration};

use stele_toolkit_envelope::Timestamp;

use crate::{Received, Story, Unclaimed};

/// Is told what becomes of each message: for a live view, or for counts of one's own.
///
/// It is called in the task of the message, and so must not block. What it is told has happened;
/// the acknowledgement comes after it. So after a crash in between, the message comes again, and is
/// observed as a duplicate.
pub trait Observer: Debug + Send + Sync + 'static {
    /// This became of a message. Of a message that fails and is handled later, it is told several
    /// times.
    fn observe(&self, observation: &Observation<'_>);
}

/// What became of a message.
#[derive(Clone, Copy, Debug)]
pub struct Observation<'a> {
    /// The service.
    pub service: &'a str,
    /// Its handler; the service's name if no handler reads the message.
    pub handler: &'a str,
    /// The message's id.
    pub message_id: &'a str,
    /// The message, with the number of the attempt.
    pub received: &'a Received,
    /// When it is told.
    pub at: Timestamp,
    /// What became of it.
    pub fate: Fate<'a>,
}

/// What can become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate<'a> {
    /// Its work is committed.
    Handled,
    /// It wasn't handled, for this reason. One that is too old becomes [`Fate::Dead`] instead.
    Unclaimed(Unclaimed),
    /// Its handler wants it later.
    Deferred {
        /// After this time.
        after: Duration,
    },
    /// An attempt failed, and there will be another.
    Failed {
        /// Its failures so far.
        story: &'a Story,
        /// The time before the next attempt.
        after: Duration,
    },
    /// It is given up, with a dead letter.
    Dead {
        /// Its failures.
        story: &'a Story,
        /// The letter's id, for [`crate::DeadLetters`].
        letter_id: &'a str,
    },
    /// It is given up without a letter, as its handler or the policy says.
    Dropped,
}
