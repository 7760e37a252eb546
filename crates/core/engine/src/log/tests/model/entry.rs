//! A record of the model.

use super::super::*;

#[derive(Clone, Copy)]
pub(super) struct Entry {
    pub(super) condition: Condition,
    pub(super) deliveries: u32,
    /// Its last lease.
    pub(super) last: Option<LeaseId>,
    pub(super) group: Option<u64>,
    pub(super) bytes: u64,
    pub(super) body_bytes: u64,
    /// If it wasn't returned to its place: the partition's end at that time, and its number.
    pub(super) behind: Option<(u64, u64)>,
    /// When its time to live ends, by the queue's and by its own.
    pub(super) life_ends: [Option<Timestamp>; 2],
    /// The earlier of them.
    pub(super) lives_until: Option<Timestamp>,
    /// Its time was over while it was out.
    is_overdue: bool,
    /// As a dead letter: how many logs have a copy.
    pub(super) copies: u64,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Condition {
    Ready,
    Leased(ConsumerRef, LeaseId, Option<Timestamp>),
    Delayed(Timestamp),
    Moving,
    Dead(DeathReason),
    /// Dead, and being moved; or copied to a log that isn't the last one.
    Away {
        reason: DeathReason,
        is_copied: bool,
    },
    Settled,
}

impl Entry {
    pub(super) fn new(
        schedule: &Schedule,
        bytes: u32,
        now: Timestamp,
        config: &LedgerConfig,
    ) -> Self {
        let delay_ms = schedule.delay_ms.filter(|delay_ms| *delay_ms > 0);
        let own_ms = schedule
            .expiry_ms
            .map(|life_ms| life_ms + delay_ms.unwrap_or(0));
        let life_ends = [config.expiry_ms, own_ms].map(|life_ms| Some(now.plus_ms(life_ms?)));
        Self {
            condition: delay_ms.map_or(Condition::Ready, |delay_ms| {
                Condition::Delayed(now.plus_ms(delay_ms))
            }),
            deliveries: 0,
            last: None,
            group: schedule.group,
            bytes: bytes.into(),
            body_bytes: schedule.body_bytes.unwrap_or(bytes).into(),
            behind: None,
            life_ends,
            lives_until: life_ends.into_iter().flatten().min(),
            is_overdue: false,
            copies: 0,
        }
    }

    /// Leaves without having been acknowledged, whatever its condition is.
    pub(super) fn leave(&mut self, reason: DeathReason, config: &LedgerConfig) {
        self.copies = 0;
        self.condition = match config.dead_letters.contains(reason) {
            true => Condition::Dead(reason),
            false => Condition::Settled,
        };
    }

    /// Returns, unless it may not.
    pub(super) fn give_back(
        &mut self,
        condition: Condition,
        behind: Option<(u64, u64)>,
        config: &LedgerConfig,
    ) {
        let is_worn = config
            .deliveries_max
            .is_some_and(|max| self.deliveries >= max);
        if self.is_overdue {
            self.leave(DeathReason::Expired, config);
        } else if is_worn {
            self.leave(DeathReason::Deliveries, config);
        } else {
            self.condition = condition;
            self.behind = behind;
        }
    }

    /// Its time is over.
    pub(super) fn expire(&mut self, config: &LedgerConfig) {
        match self.condition {
            Condition::Leased(..) | Condition::Moving => self.is_overdue = true,
            Condition::Ready | Condition::Delayed(_) => self.leave(DeathReason::Expired, config),
            Condition::Dead(_) | Condition::Away { .. } | Condition::Settled => {}
        }
    }

    pub(super) fn end_move(&mut self, taken: bool, config: &LedgerConfig) {
        match (self.condition, taken) {
            (Condition::Moving, true) => self.condition = Condition::Settled,
            (Condition::Moving, false) => self.give_back(Condition::Ready, None, config),
            (Condition::Away { reason, is_copied }, _) => {
                self.copies += u64::from(taken);
                self.condition = match taken && !is_copied {
                    true => Condition::Settled,
                    false => Condition::Dead(reason),
                };
            }
            _ => {}
        }
    }

    /// How a look at the ledger should find it.
    pub(super) fn peeked(&self, partition: PartitionIndex, offset: u64) -> Option<PeekedRecord> {
        let found = PeekedRecord {
            partition,
            offset: Offset(offset),
            state: PeekState::Ready,
            deliveries: self.deliveries,
            lease: None,
            until: None,
            reason: None,
        };
        let found = match self.condition {
            Condition::Ready => found,
            Condition::Leased(holder, id, until) => PeekedRecord {
                state: PeekState::Leased,
                lease: Some((id, holder)),
                until,
                ..found
            },
            Condition::Delayed(until) => PeekedRecord {
                state: PeekState::Delayed,
                until: Some(until),
                ..found
            },
            Condition::Moving => PeekedRecord {
                state: PeekState::Moving,
                ..found
            },
            Condition::Away { .. } => PeekedRecord {
                state: PeekState::Moving,
                deliveries: 0,
                ..found
            },
            Condition::Dead(reason) => PeekedRecord {
                state: PeekState::Dead,
                deliveries: 0,
                reason: Some(reason),
                ..found
            },
            Condition::Settled => return None,
        };
        Some(found)
    }

    pub(super) fn is_leased(&self) -> bool {
        matches!(self.condition, Condition::Leased(..))
    }

    /// Whether its group waits for it.
    pub(super) fn is_out(&self) -> bool {
        self.is_leased() || self.condition == Condition::Moving
    }

    pub(super) fn is_waiting(&self) -> bool {
        matches!(self.condition, Condition::Ready | Condition::Delayed(_))
    }

    pub(super) fn is_dead(&self) -> bool {
        matches!(self.condition, Condition::Dead(_))
    }

    pub(super) fn is_moving(&self) -> bool {
        matches!(self.condition, Condition::Moving | Condition::Away { .. })
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.lives_until.is_some_and(|end| end <= now)
    }

    /// Whether the end of its time still has to be noticed.
    pub(super) fn may_expire(&self) -> bool {
        self.is_waiting() || (self.is_out() && !self.is_overdue)
    }

    /// When it returns by itself.
    pub(super) fn ends(&self) -> Option<Timestamp> {
        match self.condition {
            Condition::Leased(_, _, until) => until,
            _ => None,
        }
    }

    pub(super) fn has_deadline(&self) -> bool {
        self.ends().is_some()
    }

    /// Whether it may be settled or moved in any state.
    pub(super) fn may_end(&self) -> bool {
        self.condition != Condition::Settled && !self.is_moving()
    }

    pub(super) fn holds(&self, lease: Option<LeaseId>) -> bool {
        match self.condition {
            Condition::Leased(_, held, _) => lease.is_none_or(|named| named == held),
            _ => false,
        }
    }
}
