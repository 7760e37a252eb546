//! Where the answer to an append goes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use smallvec::SmallVec;
use stele_core_engine::{AppendError, Appended};

use crate::{
    Error,
    mailbox::{Event, Mailbox},
    request::Reply,
};

/// The asker of an append.
#[derive(Debug)]
pub enum ReplyTo {
    /// A call.
    Call(Reply<SmallVec<[Appended; 1]>, AppendError>),
    /// A session's publish: one of `pending` shards that each hold a part of the targets.
    Published {
        /// The session's.
        mailbox: Arc<Mailbox>,
        /// As the session chose it.
        tag: u64,
        /// Where the publish went to several shards.
        pending: Option<Arc<Pending>>,
    },
}

/// A publish over several shards: it is confirmed when the last has answered, and refused if any
/// refused.
#[derive(Debug)]
pub struct Pending {
    pub(crate) left: AtomicUsize,
    pub(crate) refused: parking_lot::Mutex<Option<Error<AppendError>>>,
}

impl ReplyTo {
    /// Answers.
    pub(crate) fn send(self, reply: Result<SmallVec<[Appended; 1]>, Error<AppendError>>) {
        match self {
            // The caller may have gone: then nobody misses the answer.
            Self::Call(sender) => drop(sender.send(reply)),
            Self::Published {
                mailbox,
                tag,
                pending,
            } => published(&mailbox, tag, pending, reply.map(drop)),
        }
    }
}

fn published(
    mailbox: &Mailbox,
    tag: u64,
    pending: Option<Arc<Pending>>,
    result: Result<(), Error<AppendError>>,
) {
    let Some(pending) = pending else {
        mailbox.push(Event::Published { tag, result });
        return;
    };
    if let Err(error) = result {
        *pending.refused.lock() = Some(error);
    }
    if pending.left.fetch_sub(1, Ordering::AcqRel) == 1 {
        let result = pending.refused.lock().take().map_or(Ok(()), Err);
        mailbox.push(Event::Published { tag, result });
    }
}
