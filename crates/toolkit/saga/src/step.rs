//! A step of a plan: its command, the replies to it, and the command that undoes it.

use std::time::Duration;

use stele_toolkit_bus::Reads;
use stele_toolkit_envelope::{EncodeError, Envelope, Message, OpenError, Timestamp};

use crate::{
    Action, Draft,
    any_plan::{named, reads_of},
};

/// Makes a message of the saga's data.
pub(crate) type Build<S> = Box<dyn Fn(&S) -> Result<Draft, EncodeError> + Send + Sync>;

/// Takes what a reply says into the saga's data.
type Absorb<S> = Box<dyn Fn(&mut S, &Envelope) -> Result<(), OpenError> + Send + Sync>;

/// How long a step waits before it is tried again: doubled each time, up to a maximum.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// After this many attempts in vain an operator is told.
pub(crate) const ATTEMPTS_UNTIL_STUCK: u32 = 5;

pub(crate) struct Step<S> {
    pub(crate) name: &'static str,
    pub(crate) stage: usize,
    pub(crate) send: Option<Build<S>>,
    pub(crate) undo: Option<Build<S>>,
    pub(crate) replies: Vec<ReplyType<S>>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) attempts: u32,
    pub(crate) is_pivot: bool,
    pub(crate) is_forward: bool,
}

pub(crate) struct ReplyType<S> {
    pub(crate) reads: Reads,
    pub(crate) says: Says,
    pub(crate) absorb: Absorb<S>,
}

/// What a reply says of its step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    Done,
    Failed,
    Undone,
}

impl<S> Step<S> {
    pub(crate) fn new(name: &'static str, stage: usize) -> Self {
        Self {
            name,
            stage,
            send: None,
            undo: None,
            replies: Vec::new(),
            timeout: None,
            attempts: 1,
            is_pivot: false,
            is_forward: false,
        }
    }

    /// What a message says of this step, if it is a reply to it.
    pub(crate) fn reply(&self, envelope: &Envelope) -> Option<&ReplyType<S>> {
        let mut replies = self.replies.iter();
        replies.find(|reply| named(reply.reads, envelope).is_some())
    }

    /// Whether there is nothing to do and nothing to wait for: it is there for its undo.
    pub(crate) fn is_undo_alone(&self) -> bool {
        let mut replies = self.replies.iter();
        self.send.is_none() && replies.all(|reply| reply.says == Says::Undone)
    }

    /// Whether it sends a command for this.
    pub(crate) fn sends(&self, action: Action) -> bool {
        match action {
            Action::Do => self.send.is_some(),
            Action::Undo => self.undo.is_some(),
        }
    }

    /// Whether somebody says when this step is undone.
    pub(crate) fn awaits_undo(&self) -> bool {
        self.replies.iter().any(|reply| reply.says == Says::Undone)
    }

    /// When an attempt that failed is made again.
    pub(crate) fn again_at(attempt: u32, now: Timestamp) -> Timestamp {
        let doublings = attempt.saturating_sub(1).min(16);
        now + (RETRY_FIRST * 2_u32.pow(doublings)).min(RETRY_MAX)
    }

    /// How long a reply is waited for before the command is sent again, where it must succeed.
    pub(crate) fn patience(&self) -> Duration {
        self.timeout.unwrap_or(RETRY_MAX)
    }
}

/// Declares a step.
pub struct StepBuilder<'a, S>(&'a mut Step<S>);

impl<'a, S: 'static> StepBuilder<'a, S> {
    pub(crate) fn new(step: &'a mut Step<S>) -> Self {
        Self(step)
    }

    /// The command that does the step. It goes to the queue that its type names.
    pub fn send<M: Message>(self, command: impl Fn(&S) -> M + Send + Sync + 'static) -> Self {
        self.0.send = Some(Box::new(move |data| Draft::of(&command(data))));
        self
    }

    /// The reply that says that the step is done.
    pub fn ok<M: Message>(self) -> Self {
        self.ok_with(|_, _: M| ())
    }

    /// The reply that says that the step is done, and what it adds to the saga's data.
    pub fn ok_with<M: Message>(self, absorb: impl Fn(&mut S, M) + Send + Sync + 'static) -> Self {
        self.reply(Says::Done, absorb)
    }

    /// The reply that says that the step was not done.
    pub fn fail<M: Message>(self) -> Self {
        self.fail_with(|_, _: M| ())
    }

    /// The reply that says that the step was not done, and what it adds to the saga's data.
    pub fn fail_with<M: Message>(self, absorb: impl Fn(&mut S, M) + Send + Sync + 'static) -> Self {
        self.reply(Says::Failed, absorb)
    }

    /// How long a reply is waited for. Then the outcome is unknown, and the step is undone with
    /// those before it: whoever does it has to expect an undo that overtakes it.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.0.timeout = Some(timeout);
        self
    }

    /// How often the command is sent in all before a time-out counts; 1 by default.
    pub fn attempts(self, attempts: u32) -> Self {
        self.0.attempts = attempts.max(1);
        self
    }

    /// The command that undoes the step. It is sent once if nobody says that it was undone.
    pub fn undo<M: Message>(self, command: impl Fn(&S) -> M + Send + Sync + 'static) -> Self {
        self.0.undo = Some(Box::new(move |data| Draft::of(&command(data))));
        self
    }

    /// The reply that says that the step is undone. Until it comes, the undo is sent again.
    pub fn undone<M: Message>(self) -> Self {
        self.reply(Says::Undone, |_, _: M| ())
    }

    /// Once this step is done, nothing is undone any more.
    pub fn pivot(self) -> Self {
        self.0.is_pivot = true;
        self
    }

    /// The step is tried until it succeeds: it follows the pivot, or can't fail for good.
    pub fn forward(self) -> Self {
        self.0.is_forward = true;
        self
    }

    fn reply<M: Message>(
        self,
        says: Says,
        absorb: impl Fn(&mut S, M) + Send + Sync + 'static,
    ) -> Self {
        self.0.replies.push(ReplyType {
            reads: reads_of::<M>(),
            says,
            absorb: Box::new(move |data, envelope| {
                absorb(data, envelope.open()?);
                Ok(())
            }),
        });
        self
    }
}

impl<S> std::fmt::Debug for StepBuilder<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name)
    }
}
