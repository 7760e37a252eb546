//! Law 3: per partition, per queue and per FIFO group, the order of delivery is the order of
//! append; a message that returns when its holder's session ends goes back to its place, and so
//! does any message in its group.
//!
//! In a queue that orders by priority, a record is delivered only if none of a higher priority was
//! waiting and visible.
//!
//! What a session sends to a partition is appended in the order in which it was sent.
//!
//! So when a record is delivered, no record before it (in a FIFO queue: none of its group before
//! it) was waiting and visible, except for those returned from a lease with a deadline, which go
//! behind the others.

use std::collections::BTreeMap;

use stele_base_types::{PartitionId, PartitionIndex, SessionId};

use super::{Law, ensure};
use crate::{
    event::{Event, Leased, PublishId, Read},
    model::Model,
};

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct OrderIsKept {
    /// The session that sent each publish, if a session did. Ids ascend.
    senders: BTreeMap<PublishId, SessionId>,
}

impl Law for OrderIsKept {
    fn name(&self) -> &'static str {
        "3: order of delivery is order of append"
    }

    fn judge(&mut self, event: &Event, model: &Model) -> Result<(), String> {
        match event {
            Event::Leased(leased) => {
                nothing_is_left_behind(leased, model)?;
                nothing_higher_waits(leased, model)
            }
            Event::BySession(session, publish) => {
                self.senders.insert(*publish, *session);
                Ok(())
            }
            Event::Read(read) | Event::Audited(read) => self.is_as_sent(read, model),
            _ => Ok(()),
        }
    }
}

impl OrderIsKept {
    fn is_as_sent(&self, read: &Read, model: &Model) -> Result<(), String> {
        let mut last: BTreeMap<SessionId, PublishId> = BTreeMap::new();
        for (offset, record) in &read.records {
            let publish = model.origins.get(record);
            let Some((publish, session)) = publish.and_then(|it| self.senders.get_key_value(it))
            else {
                continue;
            };
            let before = last.insert(*session, *publish);
            ensure(before <= Some(*publish), || {
                let partition = read.partition;
                format!("{partition}: {publish:?} at {offset} was sent before {before:?}")
            })?;
        }
        Ok(())
    }
}

fn nothing_is_left_behind(leased: &Leased, model: &Model) -> Result<(), String> {
    let Some(config) = model.log(leased.partition.log) else {
        return Ok(());
    };
    let is_fifo = config.queue.is_some_and(|queue| queue.fifo);
    let partition = leased.partition;
    for (place, one) in leased.records.iter().enumerate() {
        let group = model.ledgers.group(partition, one.offset);
        let earlier = &leased.records[..place];
        let is_behind = !is_fifo && model.ledgers.is_behind(partition, one.offset);
        let turned = earlier.iter().find(|other| {
            let is_of_group = model.ledgers.group(partition, other.offset) == group;
            other.offset > one.offset && is_of_group && !is_behind
        });
        ensure(turned.is_none(), || {
            format!("{partition}: {} came after {turned:?}", one.offset)
        })?;
        let skipped = model.ledgers.before(partition, one.offset).find(|record| {
            let (offset, known) = record;
            let could_come = known.is_ready()
                && (is_fifo || !model.ledgers.is_behind(partition, *offset))
                && (!is_fifo || known.group == group && group.is_some());
            could_come
                && !leased.beside.contains(partition, *offset)
                && earlier.iter().all(|other| other.offset != *offset)
        });
        ensure(skipped.is_none(), || {
            format!(
                "{partition}: {} was handed out before {skipped:?}",
                one.offset
            )
        })?;
    }
    Ok(())
}

fn nothing_higher_waits(leased: &Leased, model: &Model) -> Result<(), String> {
    let at = leased.partition;
    let Some(config) = model.log(at.log).filter(|log| log.orders_by_priority()) else {
        return Ok(());
    };
    for priority in at.index.0 + 1..config.partitions {
        let higher = PartitionId::new(at.log, PartitionIndex(priority));
        let skipped = model.ledgers.records(higher).find(|(offset, known)| {
            known.is_ready()
                && !leased.beside.contains(higher, *offset)
                && !leased.beside.is_new(higher, *offset)
        });
        ensure(skipped.is_none(), || {
            format!("{at}: came before {skipped:?} of priority {priority}")
        })?;
    }
    Ok(())
}
