//! Messages that were put aside.

use std::collections::BTreeMap;

use stele_toolkit_envelope::Timestamp;

use crate::{
    Backlog, Burial, Claim, Due, DueQuery, Incoming, KeyOrder, Origin, Parked, Parking, Story,
};

/// A message for a handler.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::memory) struct MessageKey {
    pub(in crate::memory) handler: String,
    pub(in crate::memory) message_id: String,
}

impl MessageKey {
    pub(in crate::memory) fn of(claim: &Claim<'_>) -> Self {
        Self {
            handler: claim.handler.to_owned(),
            message_id: claim.message_id.to_owned(),
        }
    }
}

/// A message that was put aside.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) service: String,
    pub(super) key: String,
    order: KeyOrder,
    pub(super) message: Incoming,
    pub(super) origin: Origin,
    pub(super) attempts: u32,
    pub(super) story: Option<Story>,
    pub(super) state: RowState,
}

#[derive(Clone, Debug)]
pub(super) enum RowState {
    Parked { due: Timestamp },
    Dead { letter_id: String },
}

/// All of them. A place is the order in which they were put aside first.
#[derive(Debug, Default)]
pub(in crate::memory) struct Rows {
    places: BTreeMap<MessageKey, u64>,
    pub(super) rows: BTreeMap<u64, (MessageKey, Row)>,
    next_place: u64,
}

impl Rows {
    pub(in crate::memory) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(super) fn backlog(&self, service: &str) -> Backlog {
        let mut backlog = Backlog::default();
        for (_, row) in self.rows.values().filter(|(_, row)| row.service == service) {
            match row.state {
                RowState::Parked { .. } => backlog.parked += 1,
                RowState::Dead { .. } => backlog.dead += 1,
            }
        }
        backlog
    }

    pub(super) fn contains(&self, key: &MessageKey) -> bool {
        self.places.contains_key(key)
    }

    /// Whether a message is behind another one of its service and key.
    pub(super) fn is_behind(&self, claim: &Claim<'_>, key: &MessageKey) -> bool {
        if claim.order == KeyOrder::Relaxed || claim.key.is_empty() {
            return false;
        }
        let place = self.places.get(key).copied().unwrap_or(u64::MAX);
        let mut before = self.rows.range(..place);
        before.any(|(_, (_, row))| row.service == claim.service && row.key == claim.key)
    }

    pub(super) fn park(&mut self, claim: &Claim<'_>, parking: &Parking<'_>) {
        let row = Row {
            service: claim.service.to_owned(),
            key: claim.key.to_owned(),
            order: claim.order,
            message: parking.message.clone(),
            origin: parking.origin.clone(),
            attempts: parking.attempts,
            story: parking.story.cloned(),
            state: RowState::Parked { due: parking.due },
        };
        self.put(MessageKey::of(claim), row);
    }

    /// `false` if the message is dead already.
    pub(super) fn bury(&mut self, claim: &Claim<'_>, burial: &Burial<'_>) -> bool {
        let key = MessageKey::of(claim);
        let place = self.places.get(&key);
        if let Some((_, row)) = place.and_then(|place| self.rows.get(place))
            && matches!(row.state, RowState::Dead { .. })
        {
            return false;
        }
        let row = Row {
            service: claim.service.to_owned(),
            key: claim.key.to_owned(),
            order: claim.order,
            message: burial.message.clone(),
            origin: burial.origin.clone(),
            attempts: burial.story.attempts,
            story: Some(burial.story.clone()),
            state: RowState::Dead {
                letter_id: burial.letter.message_id.clone(),
            },
        };
        self.put(key, row);
        true
    }

    fn put(&mut self, key: MessageKey, row: Row) {
        let place = *self.places.entry(key.clone()).or_insert_with(|| {
            self.next_place += 1;
            self.next_place
        });
        self.rows.insert(place, (key, row));
    }

    pub(in crate::memory) fn remove(&mut self, key: &MessageKey) {
        if let Some(place) = self.places.remove(key) {
            self.rows.remove(&place);
        }
    }

    pub(super) fn due(&mut self, query: &DueQuery<'_>) -> Due {
        let mut taken = Due::default();
        let mut keys: Vec<String> = Vec::new();
        for (key, row) in self.rows.values_mut() {
            if row.service != query.service {
                continue;
            }
            let waits = row.order == KeyOrder::Strict && keys.contains(&row.key);
            if !row.key.is_empty() {
                keys.push(row.key.clone());
            }
            let RowState::Parked { due } = row.state else {
                continue;
            };
            if waits {
                continue;
            }
            if due > query.now || taken.messages.len() >= query.count_max {
                let next = due.max(query.now);
                taken.next = Some(taken.next.map_or(next, |known: Timestamp| known.min(next)));
                continue;
            }
            row.attempts += 1;
            let lease = query.now + query.lease;
            row.state = RowState::Parked { due: lease };
            taken.next = Some(taken.next.map_or(lease, |known| known.min(lease)));
            taken.messages.push(Parked {
                handler: key.handler.clone(),
                message_id: key.message_id.clone(),
                message: row.message.clone(),
                origin: row.origin.clone(),
                attempts: row.attempts,
                story: row.story.clone(),
            });
        }
        taken
    }
}
