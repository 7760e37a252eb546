//! Where the answer to an append is sent.

use std::{mem, sync::Arc};

use parking_lot::Mutex;
use smallvec::SmallVec;
use stele_core_engine::{AppendError, AppendResult, Appended};

use crate::{
    Error, Share,
    mailbox::{Event, Mailbox},
    request::Reply,
};

/// The sender of an append.
#[derive(Debug)]
pub enum ReplyTo {
    /// A call.
    Call(Reply<SmallVec<[AppendResult; 1]>, AppendError>),
    /// A session's publish, to one of `pending` shards that each have some of the targets.
    Published {
        /// The session's mailbox.
        mailbox: Arc<Mailbox>,
        /// The tag that the session chose.
        tag: u64,
        /// Set if the publish went to several shards.
        pending: Option<Arc<Pending>>,
        /// Whether the answer waits until the batch is as durable as its logs demand.
        durable: bool,
    },
}

/// A publish to several shards, with the answers so far.
#[derive(Debug)]
pub struct Pending {
    answers: Mutex<(usize, MergedAnswer)>,
    room: Share,
}

/// The outcome of an append to several targets: it succeeds if any target took it and no existing
/// one refused it. Targets that are gone count only if there are no others.
#[derive(Debug, Default)]
pub(crate) struct MergedAnswer {
    taken: SmallVec<[Appended; 1]>,
    /// The gravest error so far.
    error: Option<Error<AppendError>>,
}

impl ReplyTo {
    /// Lets others have large shares of the memory while a publish to several shards waits.
    pub(crate) fn stand_aside(&self) {
        if let Self::Published {
            pending: Some(pending),
            ..
        } = self
        {
            pending.room.stand_aside();
        }
    }
}

impl Pending {
    /// For this many shards, which share the bytes and the memory they take.
    pub(crate) fn new(shards: usize, room: Share) -> Self {
        Self {
            answers: Mutex::new((shards, MergedAnswer::default())),
            room,
        }
    }

    /// Adds the answer of a shard. Returns the outcome with the last one.
    fn add(&self, answer: ShardAnswer) -> Option<MergedAnswer> {
        let mut pending = self.answers.lock();
        pending.1.add(answer);
        pending.0 -= 1;
        (pending.0 == 0).then(|| mem::take(&mut pending.1))
    }
}

impl MergedAnswer {
    /// Adds the answer of a shard.
    pub(crate) fn add(&mut self, answer: ShardAnswer) {
        match answer {
            Ok(results) => {
                for result in results {
                    match result {
                        // A dead letter from the start is no success.
                        Ok(appended) if appended.refused => {
                            self.note(Error::Refused(AppendError::TooLong));
                        }
                        Ok(appended) => self.taken.push(appended),
                        Err(error) => self.note(Error::Refused(error)),
                    }
                }
            }
            Err(error) => self.note(error),
        }
    }

    /// The outcome: where the batch was appended, or the error.
    pub(crate) fn finish(self) -> Result<SmallVec<[Appended; 1]>, Error<AppendError>> {
        match self.error {
            Some(error) if self.taken.is_empty() || gravity(&error) > GONE => Err(error),
            _ => Ok(self.taken),
        }
    }

    fn note(&mut self, error: Error<AppendError>) {
        let graver = self
            .error
            .as_ref()
            .is_none_or(|known| gravity(&error) > gravity(known));
        if graver {
            self.error = Some(error);
        }
    }
}

/// The target doesn't exist any more.
const GONE: u8 = 0;

/// Orders the errors of several shards, of which the gravest is reported. A failure is graver than
/// a refusal: after a refusal nothing was appended, after a failure that is unknown.
fn gravity(error: &Error<AppendError>) -> u8 {
    match error {
        Error::Refused(AppendError::NoSuchLog) => GONE,
        Error::Refused(_) => 1,
        Error::Failed(_) => 2,
    }
}

/// A shard's answer for its targets.
type ShardAnswer = Result<SmallVec<[AppendResult; 1]>, Error<AppendError>>;

impl ReplyTo {
    /// Whether the answer waits until the batch is as durable as its logs demand.
    pub(crate) fn waits(&self) -> bool {
        match self {
            Self::Call(_) => true,
            Self::Published { durable, .. } => *durable,
        }
    }

    /// Sends the answer.
    pub(crate) fn send(self, answer: ShardAnswer) {
        match self {
            // If the caller has gone, nobody needs the answer.
            Self::Call(sender) => drop(sender.send(answer)),
            Self::Published {
                mailbox,
                tag,
                pending,
                ..
            } => {
                let merged = match pending {
                    Some(pending) => pending.add(answer),
                    None => {
                        let mut merged = MergedAnswer::default();
                        merged.add(answer);
                        Some(merged)
                    }
                };
                if let Some(merged) = merged {
                    let result = merged.finish().map(drop);
                    mailbox.push(Event::Published { tag, result });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;
    use stele_base_types::{LogId, Offset, PartitionId, PartitionIndex};

    use super::*;
    use crate::Failure;

    fn taken() -> ShardAnswer {
        Ok(smallvec![Ok(Appended {
            partition: PartitionId::new(LogId(1), PartitionIndex(0)),
            base: Offset(0),
            start: Offset(0),
            duplicate: false,
            refused: false,
        })])
    }

    fn gone() -> ShardAnswer {
        Err(Error::Refused(AppendError::NoSuchLog))
    }

    fn merged(answers: impl IntoIterator<Item = ShardAnswer>) -> Result<usize, String> {
        let mut merged = MergedAnswer::default();
        answers.into_iter().for_each(|answer| merged.add(answer));
        let finished = merged.finish();
        finished
            .map(|taken| taken.len())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn targets_that_are_gone_do_not_count_beside_others() {
        assert_eq!(merged([taken(), gone(), taken()]), Ok(2));
        assert_eq!(merged([gone(), taken()]), Ok(1));
        assert_eq!(merged([gone(), gone()]), Err("no such log".into()));
    }

    #[test]
    fn an_error_of_one_shard_is_not_hidden_by_anothers() {
        let full = || Err(Failure::NoSpace.into());
        let expected = Err("no space left on the disk".into());
        assert_eq!(merged([full(), gone()]), expected);
        assert_eq!(merged([gone(), full()]), expected);
        assert_eq!(merged([taken(), full(), gone(), taken()]), expected);
    }
}
