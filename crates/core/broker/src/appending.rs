//! An append in two steps, for a front that has several in flight and answers them in order.

use smallvec::SmallVec;
use stele_core_engine::{Append, AppendError, Appended};
use tokio::sync::oneshot;

use crate::{
    Broker, Error, Failure, Kind, Publish,
    reply_to::{MergedAnswer, ReplyTo},
    request::{AnswerTo, Request},
};

/// An append that was sent but not answered yet. Dropping it doesn't cancel the append.
#[derive(Debug)]
pub struct Appending {
    /// One for each shard that has some of the targets.
    parts: SmallVec<[AnswerTo<Append>; 1]>,
    merged: MergedAnswer,
}

impl Broker {
    /// Sends a batch to its shards. Appends that one task begins arrive in that order. Waits only
    /// for memory and for room in the shards' inboxes, which is the back-pressure.
    pub async fn begin_append(&self, publish: Publish) -> Appending {
        let mut parts = SmallVec::new();
        for (shard, publish) in self.by_shard(publish) {
            let (append, body) = publish.split();
            let room = self.memory().take(Kind::Appends, body.len()).await;
            let (reply, answer) = oneshot::channel();
            let request = Request::Append {
                append,
                body,
                reply: ReplyTo::Call(reply),
                room,
            };
            self.send(shard, request).await;
            parts.push(answer);
        }
        Appending {
            parts,
            merged: MergedAnswer::default(),
        }
    }
}

impl Appending {
    /// Waits until the batch is durable at every target that still exists, and returns where it was
    /// appended. Fails if no target exists, or one of them refused it. If cancelled, it can be
    /// called again until it has returned.
    pub async fn finish(&mut self) -> Result<SmallVec<[Appended; 1]>, Error<AppendError>> {
        while let Some(part) = self.parts.last_mut() {
            let answer = part.await.unwrap_or(Err(Failure::Stopping.into()));
            self.parts.pop();
            self.merged.add(answer);
        }
        std::mem::take(&mut self.merged).finish()
    }
}
