//! What holds back the removal of a log's oldest records.

use stele_base_types::{Name, Offset, PartitionId};

use super::{Log, Logs, Partition};

/// Something that holds back a partition's oldest record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// The topic's window.
    Window,
    /// The queue's own subscription, its default ledger.
    Queue,
    /// A named ledger.
    Ledger(Name),
    /// A consumer group that hasn't read it.
    Group(Name),
}

impl Logs {
    /// What holds back the oldest record of a partition, given the start of its retention window
    /// and the offset before which groups hold back nothing. Empty if there is no record, or it is
    /// about to be removed.
    pub fn holders(
        &self,
        partition: PartitionId,
        window: Offset,
        held_from: Offset,
    ) -> Vec<Holder> {
        let log = self.log(partition.log);
        let known = log.and_then(|log| Some((log, log.partition(partition.index)?)));
        let holders = known.map(|(log, known)| log.holders(partition, known, window, held_from));
        holders.unwrap_or_default()
    }
}

impl Log {
    fn holders(
        &self,
        partition: PartitionId,
        known: &Partition,
        window: Offset,
        held_from: Offset,
    ) -> Vec<Holder> {
        let (index, start) = (partition.index, known.start);
        let mut holders = Vec::new();
        if start >= known.committed {
            return holders;
        }
        let retention = &self.config.retention;
        if retention.is_topic() && window <= start {
            holders.push(Holder::Window);
        }
        if !retention.is_queue() {
            return holders;
        }
        if self.ledgers.is_empty() {
            holders.push(Holder::Queue);
        }
        for ledger in &self.ledgers {
            if ledger.floor(index).is_some_and(|floor| floor <= start) {
                holders.push(ledger.name().cloned().map_or(Holder::Queue, Holder::Ledger));
            }
        }
        if held_from <= start {
            holders.extend(self.unread_by(index, start).cloned().map(Holder::Group));
        }
        holders
    }
}
