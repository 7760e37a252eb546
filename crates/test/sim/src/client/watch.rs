//! Waiting for partitions to grow, as readers at their ends do.

use std::{
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
};

use stele_base_types::{Offset, PartitionId};
use stele_core_broker::Request;
use tokio::sync::Notify;

use super::{Client, Turn, shard_of};
use crate::event::{Event, Wait, WaitId};

/// Watches that haven't fired.
#[derive(Debug, Default)]
pub(super) struct Watches {
    count: u64,
    waiting: Vec<(WaitId, Arc<Notify>)>,
}

impl Watches {
    pub(super) fn forget_requests(&mut self) {
        self.waiting.clear();
    }
}

impl Client {
    /// Watches a partition whose visible records end at `committed`: from the last record, from the
    /// next one, and from the one after that, in turn. Not random, because this is part of reading.
    pub(super) fn watch(&mut self, turn: &mut Turn<'_>, partition: PartitionId, committed: Offset) {
        let watches = &mut self.watches;
        watches.count += 1;
        let past = Offset((committed.0 + watches.count % 3).saturating_sub(1));
        let wait = Wait {
            log: partition.log,
            past: Some((partition.index, past)),
        };
        let (id, notify) = (WaitId::Watch(watches.count), Arc::new(Notify::new()));
        turn.events.push(Event::Waiting(id, wait));
        let request = Request::Watch {
            partitions: vec![(partition, past)],
            notify: Arc::downgrade(&notify),
        };
        watches.waiting.push((id, notify));
        let shard = shard_of(turn, partition.log);
        turn.process.handle(shard, request, turn.now);
    }

    pub(super) fn hear_watches(&mut self, turn: &mut Turn<'_>) {
        let woken = |(_, notify): &mut (WaitId, Arc<Notify>)| is_woken(notify);
        let woken = self.watches.waiting.extract_if(.., woken);
        turn.events
            .extend(woken.map(|(id, _)| Event::WaitEnded(id)));
    }
}

fn is_woken(notify: &Notify) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    pin!(notify.notified()).poll(&mut context).is_ready()
}
