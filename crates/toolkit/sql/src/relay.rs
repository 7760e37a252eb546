//! The relay: sends what the outbox holds, and deletes it once the broker has confirmed it.
//!
//! ```text
//! woken, or 1 s ─► lanes leased? ─► read rows ─► publish ─► confirmed: delete, in batches
//!                    (5 s, epoch)                   ├─► transient: its key waits, longer each time
//!                                                   └─► refused: a row among the refused
//! ```
//!
//! Several relays may run: each sends the lanes that it has leased. One that is paused beyond its
//! lease sends messages that another sends too; it finds that out when it deletes their rows.

mod lanes;
mod listen;
mod waiting;

use std::{sync::Arc, time::Duration};

use stele_toolkit_bus::{Outgoing, Transport, TransportError};
use stele_toolkit_envelope::Timestamp;
use tokio::sync::watch;

use crate::{
    Db, Dialect, Error, Point,
    outbox::{COLUMNS, Sending},
};

use lanes::{Lanes, Settled};
use waiting::Waiting;

/// How a relay works. The defaults suit one or two processes.
#[derive(Clone, Copy, Debug)]
pub struct RelayOptions {
    /// How long a lane is leased. 5 s by default.
    pub lease: Duration,
    /// How many of the 16 lanes it takes at most; all by default. Two processes share the work if
    /// each takes 8.
    pub lanes_max: usize,
    /// How many messages it reads and publishes at once. 512 by default.
    pub batch_max: usize,
    /// How often it looks although nobody has woken it. 1 s by default.
    pub poll: Duration,
    /// How long the rows of confirmed messages may stay, so that one transaction deletes many.
    /// 20 ms by default.
    pub settle_after: Duration,
    /// What becomes of the later messages of a key when one is refused for good.
    pub followers: Followers,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(5),
            lanes_max: 16,
            batch_max: 512,
            poll: Duration::from_secs(1),
            settle_after: Duration::from_millis(20),
            followers: Followers::Go,
        }
    }
}

/// What becomes of the later messages of a key when one is refused for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Followers {
    /// They are sent.
    #[default]
    Go,
    /// They wait until the refused one is retried or dropped.
    Wait,
}

/// Sends what an outbox holds through a transport.
#[derive(Debug)]
pub struct Relay {
    db: Db,
    transport: Arc<dyn Transport>,
    options: RelayOptions,
    lanes: Lanes,
    waiting: Waiting,
    settled: Settled,
    changes: watch::Receiver<u64>,
}

impl Relay {
    /// A relay with default options.
    pub fn new(db: Db, transport: Arc<dyn Transport>) -> Self {
        Self::with(db, transport, RelayOptions::default())
    }

    /// A relay.
    pub fn with(db: Db, transport: Arc<dyn Transport>, options: RelayOptions) -> Self {
        Self {
            lanes: Lanes::new(db.clone()),
            changes: db.outbox_changes(),
            db,
            transport,
            options,
            waiting: Waiting::default(),
            settled: Settled::default(),
        }
    }

    /// Sends what is in the outbox and what comes, for as long as it is polled. While the database
    /// or the broker is away it waits, and tries again.
    ///
    /// It returns only if the database refuses a statement, which trying again doesn't mend.
    pub async fn run(mut self) -> Error {
        let db = self.db.clone();
        tokio::select! {
            error = self.work() => error,
            never = listen::run(&db) => match never {},
        }
    }

    async fn work(&mut self) -> Error {
        const PAUSE_MIN: Duration = Duration::from_millis(50);
        const LOOK_MIN: Duration = Duration::from_millis(1);
        let (mut pause, mut look) = (PAUSE_MIN, LOOK_MIN);
        loop {
            match self.round().await {
                Ok(Round::Sent) => (pause, look) = (PAUSE_MIN, LOOK_MIN),
                Ok(Round::Nothing) => {
                    (pause, look) = (PAUSE_MIN, LOOK_MIN);
                    self.rest(self.options.poll).await;
                }
                Ok(Round::Hidden) => {
                    self.rest(look).await;
                    look = self.options.poll.min(look * 2);
                }
                Err(error) if error.is_transient() => {
                    tracing::warn!(%error, "the relay waits for the database");
                    self.db.clock().sleep(pause).await;
                    pause = self.options.poll.min(pause * 2);
                }
                Err(error) => return error,
            }
        }
    }

    /// One batch.
    async fn round(&mut self) -> Result<Round, Error> {
        // What is committed from here on wakes it again.
        self.changes.mark_unchanged();
        if self.settled.is_due(self.db.now(), &self.options) {
            self.settle().await?;
        }
        if !self.lease().await? {
            return Ok(Round::Nothing);
        }
        let rows = self.read().await?;
        if rows.is_empty() {
            self.settle().await?;
            return self.hidden().await;
        }
        self.db.reach(Point::BeforeSend).await;
        let (ids, batch): (Vec<_>, Vec<_>) = rows
            .into_iter()
            .map(|row| ((row.seq, row.lane), row.message))
            .unzip();
        let results = self.publish(&batch).await;
        self.db.reach(Point::AfterSend).await;
        let now = self.db.now();
        for (((seq, lane), message), result) in ids.into_iter().zip(&batch).zip(results) {
            self.note(seq, lane, message, result, now);
        }
        Ok(Round::Sent)
    }

    /// Sees to it that some lanes are leased, if there is anything to send. Returns whether there
    /// are.
    async fn lease(&mut self) -> Result<bool, Error> {
        let now = self.db.now();
        if self.lanes.last(now, self.options.lease / 2) && self.lanes.are_enough(&self.options, now)
        {
            return Ok(true);
        }
        if self.lanes.may_be_free(&self.options, now) && self.has_rows().await? {
            self.lanes.take(&self.options).await?;
        }
        Ok(self.lanes.last(now, Duration::ZERO))
    }

    async fn has_rows(&self) -> Result<bool, Error> {
        let find = "SELECT seq FROM {p}outbox WHERE due_at <= $1 LIMIT 1";
        let mut reader = self.db.reader().await?;
        let find = sqlx::query(self.db.sql(find)).bind(self.db.now().as_micros());
        Ok(find.fetch_optional(&mut *reader).await?.is_some())
    }

    /// Whether there are messages that wait for the end of an older transaction: that wakes nobody.
    async fn hidden(&self) -> Result<Round, Error> {
        if self.db.dialect() == Dialect::Sqlite {
            return Ok(Round::Nothing);
        }
        let find = "SELECT seq FROM {p}outbox WHERE due_at <= $1
            AND xid >= pg_snapshot_xmin(pg_current_snapshot()) LIMIT 1";
        let mut reader = self.db.reader().await?;
        let find = sqlx::query(self.db.sql(find)).bind(self.db.now().as_micros());
        Ok(match find.fetch_optional(&mut *reader).await? {
            Some(_) => Round::Hidden,
            None => Round::Nothing,
        })
    }

    /// The next messages of the leased lanes. On PostgreSQL only what was written by transactions
    /// before the oldest that is still open: later ones may still come before it in order.
    async fn read(&self) -> Result<Vec<Sending>, Error> {
        let dialect = self.db.dialect();
        let horizon = match dialect {
            Dialect::Sqlite => "",
            Dialect::Postgres => "AND xid < pg_snapshot_xmin(pg_current_snapshot())",
        };
        let followers = match self.options.followers {
            Followers::Go => "",
            Followers::Wait => {
                "AND NOT EXISTS (SELECT 1 FROM {p}refused r WHERE r.key = o.key AND r.key <> '')"
            }
        };
        let read = format!(
            "SELECT {COLUMNS} FROM {{p}}outbox o
            WHERE due_at <= $1 AND lane IN ({}) AND seq NOT IN ({}) AND key NOT IN ({})
            {horizon} {followers} ORDER BY due_at, seq LIMIT $5",
            dialect.numbers("$2"),
            dialect.numbers("$3"),
            dialect.texts("$4"),
        );
        let now = self.db.now();
        let seqs = self.settled.seqs().chain(self.waiting.seqs(now));
        let mut reader = self.db.reader().await?;
        let rows = sqlx::query(self.db.sql(&read))
            .bind(now.as_micros())
            .bind(json(self.lanes.held()))
            .bind(json(seqs))
            .bind(json(self.waiting.keys(now)))
            .bind(i64::try_from(self.options.batch_max).unwrap_or(i64::MAX))
            .fetch_all(&mut *reader)
            .await?;
        rows.iter().map(Sending::read).collect()
    }

    /// Publishes, and goes on renewing the leases meanwhile.
    async fn publish(&mut self, batch: &[Outgoing]) -> Vec<Result<(), TransportError>> {
        let transport = Arc::clone(&self.transport);
        let mut published = transport.publish(batch);
        loop {
            tokio::select! {
                results = &mut published => return results,
                () = self.db.clock().sleep(self.options.lease / 3) => {
                    if let Err(error) = self.lanes.take(&self.options).await {
                        tracing::warn!(%error, "the relay couldn't renew its leases");
                    }
                }
            }
        }
    }

    fn note(
        &mut self,
        seq: i64,
        lane: i64,
        message: &Outgoing,
        result: Result<(), TransportError>,
        now: Timestamp,
    ) {
        match result {
            Ok(()) => self.waiting.succeeded(seq, &message.key),
            Err(error) if error.is_transient() => {
                let id = &message.message_id;
                tracing::warn!(message_id = %id, %error, "not sent, will be tried again");
                self.waiting.failed(seq, &message.key, now);
                return;
            }
            Err(error) => {
                let id = &message.message_id;
                tracing::error!(message_id = %id, %error, "refused: kept among the refused");
                self.waiting.succeeded(seq, &message.key);
                self.settled.refused(seq, lane, error.to_string(), now);
                return;
            }
        }
        self.settled.confirmed(seq, lane, now);
    }

    async fn settle(&mut self) -> Result<(), Error> {
        if !self.settled.is_empty() {
            self.lanes.settle(&self.options, &self.settled).await?;
            self.settled = Settled::default();
        }
        Ok(())
    }

    /// Waits until there may be something to do, or for so long.
    async fn rest(&mut self, poll: Duration) {
        let now = self.db.now();
        let poll = now + poll;
        let until = self.waiting.next(now).map_or(poll, |next| next.min(poll));
        tokio::select! {
            // It fails only once the sender is gone, which the database holds.
            _ = self.changes.changed() => {}
            () = self.db.clock().sleep_until(until) => {}
        }
    }
}

/// What came of looking for messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// Some were sent.
    Sent,
    /// There are none that may be sent by this relay.
    Nothing,
    /// There are some, behind the commit horizon.
    Hidden,
}

/// A JSON array, as a parameter.
pub(crate) fn json<T: Into<serde_json::Value>>(values: impl IntoIterator<Item = T>) -> String {
    let values: Vec<serde_json::Value> = values.into_iter().map(Into::into).collect();
    serde_json::Value::Array(values).to_string()
}
