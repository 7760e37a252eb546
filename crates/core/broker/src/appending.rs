//! An append in two steps, for a front that has several on their way and answers them in order.

use smallvec::SmallVec;
use stele_core_engine::{Append, AppendError, Appended};
use tokio::sync::oneshot;

use crate::{
    Broker, Error, Failure, Kind, Publish,
    reply_to::{MergedAnswer, ReplyTo},
    request::{AnswerTo, Request},
};

/// An append that has been sent and not been answered yet. Dropping it leaves the append as it is.
#[derive(Debug)]
pub struct Appending {
    /// One for each shard that holds a part of the targets.
    parts: SmallVec<[AnswerTo<Append>; 1]>,
    merged: MergedAnswer,
}

impl Broker {
    /// Sends a batch to its shards. Appends begun one after the other by one task arrive in that
    /// order. Waits only for memory and for room in the shards' inboxes: that is the back-pressure.
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
    /// Where the batch was taken, when all of it is durable: at every target that is still there.
    /// Fails where none is, or one that is there refused it. May be dropped and called again until
    /// it has returned.
    pub async fn finish(&mut self) -> Result<SmallVec<[Appended; 1]>, Error<AppendError>> {
        while let Some(part) = self.parts.last_mut() {
            let answer = part.await.unwrap_or(Err(Failure::Stopping.into()));
            self.parts.pop();
            self.merged.add(answer);
        }
        std::mem::take(&mut self.merged).finish()
    }
}
