//! The lanes that a relay has leased, and what it settles under their fence.

use std::{collections::BTreeMap, time::Duration};

use sqlx::Row;
use stele_toolkit_envelope::Timestamp;

use super::{RelayOptions, json};
use crate::{Db, Error, Point, Tx, outbox::LANES};

/// The leased lanes with their epochs.
#[derive(Debug)]
pub(super) struct Lanes {
    db: Db,
    owner: String,
    held: BTreeMap<i64, i64>,
    until: Timestamp,
    /// When it last tried to get more of them.
    tried: Timestamp,
}

impl Lanes {
    pub(super) fn new(db: Db) -> Self {
        Self {
            owner: db.new_owner(),
            db,
            held: BTreeMap::new(),
            until: Timestamp::UNIX_EPOCH,
            tried: Timestamp::UNIX_EPOCH,
        }
    }

    pub(super) fn held(&self) -> impl Iterator<Item = i64> {
        self.held.keys().copied()
    }

    /// Whether there are any, whose leases last longer than this.
    pub(super) fn last(&self, now: Timestamp, longer_than: Duration) -> bool {
        !self.held.is_empty() && self.until > now + longer_than
    }

    /// Whether it is worth a try to take lanes: if others had all of them a moment ago, it isn't,
    /// however often something is committed.
    pub(super) fn may_be_free(&self, options: &RelayOptions, now: Timestamp) -> bool {
        !self.held.is_empty() || now.since(self.tried) >= options.poll
    }

    /// Whether it is too early to try and get more.
    pub(super) fn are_enough(&self, options: &RelayOptions, now: Timestamp) -> bool {
        let all = usize::try_from(LANES).unwrap_or(usize::MAX);
        self.held.len() >= options.lanes_max.min(all) || now.since(self.tried) < options.poll
    }

    /// Renews the leases, and takes lanes that nobody has, or that a relay had which was dropped in
    /// this process.
    pub(super) async fn take(&mut self, options: &RelayOptions) -> Result<(), Error> {
        let db = &self.db;
        let gone = db.dialect().texts("$5");
        let take = format!(
            "UPDATE {{p}}lanes SET
                epoch = CASE WHEN owner = $1 THEN epoch ELSE epoch + 1 END,
                owner = $1, until_at = $2
            WHERE lane IN (
                SELECT lane FROM {{p}}lanes WHERE owner = $1 OR until_at <= $3 OR owner IN ({gone})
                ORDER BY CASE WHEN owner = $1 THEN 0 ELSE 1 END, lane LIMIT $4)
            AND (owner = $1 OR until_at <= $3 OR owner IN ({gone}))
            RETURNING lane, epoch"
        );
        let gone = json(db.gone_owners().iter().map(String::as_str));
        let now = db.now();
        let until = now + options.lease;
        let mut tx = db.begin().await?;
        let taken = sqlx::query(db.sql(&take))
            .bind(&self.owner)
            .bind(until.as_micros())
            .bind(now.as_micros())
            .bind(i64::try_from(options.lanes_max).unwrap_or(i64::MAX))
            .bind(gone)
            .fetch_all(&mut *tx)
            .await?;
        tx.commit().await?;
        self.held = taken
            .iter()
            .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
            .collect::<Result<_, sqlx::Error>>()?;
        (self.until, self.tried) = (until, now);
        Ok(())
    }

    /// Deletes what was confirmed and moves what was refused, where the lane is still this relay's.
    /// Lanes that aren't are given up: who has them now sends those messages again.
    pub(super) async fn settle(
        &mut self,
        options: &RelayOptions,
        settled: &Settled,
    ) -> Result<(), Error> {
        let db = &self.db;
        let until = db.now() + options.lease;
        let mut tx = db.begin().await?;
        let still = self.fence(&mut tx, until).await?;
        let is_mine = |lane: &i64| still.contains_key(lane);
        let refused = settled.refused.iter().filter(|row| is_mine(&row.lane));
        let mut gone: Vec<i64> = Vec::new();
        for row in refused {
            keep_refused(&mut tx, row).await?;
            gone.push(row.seq);
        }
        let confirmed = settled.confirmed.iter().filter(|(_, lane)| is_mine(lane));
        gone.extend(confirmed.map(|(seq, _)| seq));
        let delete = format!(
            "DELETE FROM {{p}}outbox WHERE seq IN ({})",
            db.dialect().numbers("$1")
        );
        let delete = sqlx::query(db.sql(&delete)).bind(json(gone));
        delete.execute(&mut *tx).await?;
        db.reach(Point::BeforeDelete).await;
        tx.commit().await?;
        if still.len() < self.held.len() {
            tracing::warn!(owner = %self.owner, "another relay has taken lanes over");
        }
        (self.held, self.until) = (still, until);
        Ok(())
    }

    /// Locks the lanes that are still held, so that nobody takes them until the transaction ends.
    async fn fence(&self, tx: &mut Tx, until: Timestamp) -> Result<BTreeMap<i64, i64>, Error> {
        let renew = "UPDATE {p}lanes SET until_at = $1 WHERE owner = $2 RETURNING lane, epoch";
        let renew = sqlx::query(tx.db().sql(renew))
            .bind(until.as_micros())
            .bind(&self.owner);
        let mut still = BTreeMap::new();
        for row in renew.fetch_all(&mut **tx).await? {
            let (lane, epoch) = (row.try_get(0)?, row.try_get(1)?);
            if self.held.get(&lane) == Some(&epoch) {
                still.insert(lane, epoch);
            }
        }
        Ok(still)
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        let owner = std::mem::take(&mut self.owner);
        self.db.gone_owners().insert(owner);
    }
}

async fn keep_refused(tx: &mut Tx, refused: &Refused) -> Result<(), Error> {
    let keep = "INSERT INTO {p}refused (seq, lane, kind, destination, key, message_id,
            content_type, headers, body, created_at, reason, refused_at)
        SELECT seq, lane, kind, destination, key, message_id, content_type, headers, body,
            created_at, $1, $2 FROM {p}outbox WHERE seq = $3";
    sqlx::query(tx.db().sql(keep))
        .bind(&refused.reason)
        .bind(refused.at.as_micros())
        .bind(refused.seq)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// What became of messages that were sent, until the database knows.
#[derive(Debug, Default)]
pub(super) struct Settled {
    /// Their seq and lane.
    confirmed: Vec<(i64, i64)>,
    refused: Vec<Refused>,
    since: Option<Timestamp>,
}

#[derive(Debug)]
struct Refused {
    seq: i64,
    lane: i64,
    reason: String,
    at: Timestamp,
}

impl Settled {
    pub(super) fn confirmed(&mut self, seq: i64, lane: i64, now: Timestamp) {
        self.confirmed.push((seq, lane));
        self.since.get_or_insert(now);
    }

    pub(super) fn refused(&mut self, seq: i64, lane: i64, reason: String, at: Timestamp) {
        self.refused.push(Refused {
            seq,
            lane,
            reason,
            at,
        });
        self.since.get_or_insert(at);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.since.is_none()
    }

    /// Whether it is time to tell the database.
    pub(super) fn is_due(&self, now: Timestamp, options: &RelayOptions) -> bool {
        let is_old = |since| now.since(since) >= options.settle_after;
        !self.refused.is_empty()
            || self.confirmed.len() >= options.batch_max
            || self.since.is_some_and(is_old)
    }

    /// What isn't to be read again.
    pub(super) fn seqs(&self) -> impl Iterator<Item = i64> {
        let refused = self.refused.iter().map(|row| row.seq);
        self.confirmed.iter().map(|(seq, _)| *seq).chain(refused)
    }
}
