//! Drives a shard: passes it requests, news and the time, and passes its blocks to the writer.

use std::{sync::Arc, time::Duration};

use smallvec::SmallVec;
use stele_base_env::Clock;
use stele_base_types::Timestamp;
use stele_core_storage::{Checkpoint, Checkpointer};
use tokio::{
    select,
    sync::{mpsc, watch},
};

use super::{
    checkpointer_thread::{CheckpointJob, CheckpointerJob},
    journal_thread::{Write, Writer},
};
use crate::{
    limits::{
        BACKLOG_BYTES_MAX, BLOCK_SIZE_BYTES_TARGET, BLOCKS_IN_FLIGHT_MAX, CHECKPOINT_PIECE_MAX,
        LINK_BACKLOG_MAX, LINK_BODIES_BYTES_MAX, MAINTENANCE_MS, MAINTENANCE_WHILE_SHORT_MS,
        TURN_REQUESTS_MAX,
    },
    meter::ShardMeter,
    request::Request,
    shard::{LinkInbox, LinkNews, News, Shard},
};

/// The messages of other threads to a shard.
#[derive(Debug)]
pub(super) enum Heard {
    Progress(Progress),
    Checkpointed(Box<(Checkpointer, Option<Checkpoint>)>),
    /// The writer has failed or was dropped.
    WriterEnded,
}

/// What the writer has done since its last message.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) news: SmallVec<[News; 4]>,
    /// The number of blocks completed, including syncs.
    pub(super) through: usize,
}

/// A shard thread's ends of the channels.
#[derive(Debug)]
pub(super) struct Channels {
    pub(super) requests: mpsc::Receiver<Request>,
    pub(super) news: mpsc::Receiver<Heard>,
    pub(super) link: LinkInbox,
    pub(super) writer: Writer,
    pub(super) checkpointing: std::sync::mpsc::SyncSender<CheckpointerJob>,
    pub(super) checkpointed: mpsc::Sender<Heard>,
    pub(super) stopping: watch::Receiver<bool>,
    /// Only signals, by being dropped, that the thread has ended.
    pub(super) _alive: mpsc::Sender<()>,
}

/// A shard and what is needed to drive it.
#[derive(Debug)]
pub(super) struct ShardThread {
    shard: Shard,
    /// `None` while it is checkpointing.
    checkpointer: Option<Checkpointer>,
    clock: Arc<dyn Clock>,
    meter: Arc<ShardMeter>,
    channels: Channels,
    /// Blocks that the writer hasn't finished. While there are any, the next one keeps growing.
    in_flight: usize,
    /// Requests taken from the inbox, in reverse order.
    requests: Vec<Request>,
    link_news: Vec<LinkNews>,
    maintain_at: Timestamp,
    /// No checkpoint is planned before this time, because there was no space for the last one.
    plan_not_before: Timestamp,
    has_writer: bool,
}

/// What woke the thread.
enum Woken {
    News(Heard),
    Link,
    Requests,
    Time,
}

impl ShardThread {
    pub(super) fn new(
        shard: Shard,
        checkpointer: Checkpointer,
        clock: Arc<dyn Clock>,
        meter: Arc<ShardMeter>,
        channels: Channels,
    ) -> Self {
        let maintain_at = clock.now();
        Self {
            shard,
            checkpointer: Some(checkpointer),
            clock,
            meter,
            channels,
            in_flight: 0,
            requests: Vec::with_capacity(TURN_REQUESTS_MAX),
            link_news: Vec::new(),
            maintain_at,
            plan_not_before: maintain_at,
            has_writer: true,
        }
    }

    /// Runs until the broker stops or the writer fails.
    pub(super) fn run(mut self) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime without I/O asks nothing of the system");
        runtime.block_on(async {
            let mut goes_on = self.hand_over();
            while goes_on {
                goes_on = self.turn().await;
            }
            self.drain().await;
        });
    }

    /// Passes blocks to the writer, as many as it can take. Returns false if the writer has failed.
    fn hand_over(&mut self) -> bool {
        while self.in_flight < self.blocks_in_flight_max()
            && (self.in_flight == 0 || self.shard.has_sealed())
        {
            let Some(block) = self.shard.take_block(self.clock.now()) else {
                return self.has_writer;
            };
            let awaited = self.shard.awaited(&block);
            if self
                .channels
                .writer
                .blocks
                .send(Write::Block(block, awaited))
                .is_err()
            {
                return false;
            }
            self.in_flight += 1;
        }
        self.has_writer
    }

    /// Waits for something to do, does it, and passes the resulting blocks to the writer. Returns
    /// false if the broker is stopping or the writer has failed.
    async fn turn(&mut self) -> bool {
        let now = self.clock.now();
        let deadline = self
            .shard
            .next_deadline()
            .unwrap_or(Timestamp::FOREVER)
            .min(self.maintain_at);
        // While the writer is busy, the block being filled is written after the writer's next news,
        // however old it is.
        let block_due = self.shard.block_due_at().filter(|_| self.in_flight == 0);
        let deadline = deadline.min(block_due.unwrap_or(Timestamp::FOREVER));
        let idle = Duration::from_millis(deadline.since_ms(now));
        let is_due = self.shard.is_due(now);
        let has_piece = self.shard.has_checkpoint_piece() || self.shard.has_count_piece();
        let has_room = self.shard.backlog_bytes() < self.backlog_bytes_max()
            && self.shard.link_backlog() < LINK_BACKLOG_MAX
            && self.shard.link_backlog_bytes() < LINK_BODIES_BYTES_MAX
            && !self.shard.are_checkpoints_behind();
        let are_left = !self.requests.is_empty();
        let woken = select! {
            biased;
            _ = self.channels.stopping.changed() => return false,
            Some(heard) = self.channels.news.recv() => Woken::News(heard),
            () = self.channels.link.arrived() => Woken::Link,
            count = self.channels.requests.recv_many(&mut self.requests, TURN_REQUESTS_MAX),
                if has_room && !are_left =>
            {
                if count == 0 {
                    return false;
                }
                self.requests.reverse();
                Woken::Requests
            }
            () = std::future::ready(()), if has_room && are_left => Woken::Requests,
            () = std::future::ready(()), if has_piece || is_due => Woken::Time,
            () = tokio::time::sleep(idle) => Woken::Time,
        };
        let begun = self.clock.monotonic();
        match woken {
            Woken::News(heard) => self.hear(heard),
            Woken::Link => self.take_link(),
            Woken::Requests => self.take_requests(),
            Woken::Time => {}
        }
        self.keep_time();
        let goes_on = self.hand_over();
        let took = self.clock.monotonic().saturating_sub(begun);
        self.meter.took_turn(took);
        goes_on
    }

    /// No more requests are taken up while so much waits for the writer.
    fn backlog_bytes_max(&self) -> usize {
        self.channels.writer.pace.bytes_max().min(BACKLOG_BYTES_MAX)
    }

    /// How many blocks the writer is given at a time: more is faster, until it takes too long.
    fn blocks_in_flight_max(&self) -> usize {
        let blocks = self.channels.writer.pace.bytes_max() / BLOCK_SIZE_BYTES_TARGET;
        blocks.clamp(1, BLOCKS_IN_FLIGHT_MAX)
    }

    fn hear(&mut self, heard: Heard) {
        let now = self.clock.now();
        match heard {
            Heard::Progress(progress) => {
                self.in_flight -= progress.through;
                for news in progress.news {
                    self.shard.news(news, now);
                }
            }
            Heard::Checkpointed(checkpoint) => {
                let (checkpointer, checkpoint) = *checkpoint;
                self.checkpointer = Some(checkpointer);
                match checkpoint {
                    Some(checkpoint) => self.shard.checkpointed(checkpoint),
                    None => {
                        self.shard.abandon_checkpoint();
                        self.plan_not_before = now.plus_ms(MAINTENANCE_MS);
                    }
                }
            }
            Heard::WriterEnded => self.has_writer = false,
        }
    }

    fn take_link(&mut self) {
        self.channels.link.take(&mut self.link_news);
        let now = self.clock.now();
        for news in self.link_news.drain(..) {
            self.shard.handle_link(news, now);
        }
    }

    fn take_requests(&mut self) {
        // A command from another shard must be handled before the requests of a front that knew of
        // it. So the link is emptied after taking the requests, but before handling them.
        self.take_link();
        let now = self.clock.now();
        // Each may be as large as a batch, so the rest waits while the writer is behind.
        while self.shard.backlog_bytes() < self.backlog_bytes_max()
            && let Some(request) = self.requests.pop()
        {
            self.shard.handle(request, now);
        }
    }

    /// Does what is due at this time.
    fn keep_time(&mut self) {
        let now = self.clock.now();
        if self.shard.is_due(now) {
            self.shard.tick(now);
        }
        if self.shard.has_checkpoint_piece() {
            self.checkpoint_piece();
        }
        if self.shard.has_count_piece() {
            self.shard.count_piece();
        }
        if now >= self.maintain_at {
            self.maintain(now);
            self.maintain_at = now.plus_ms(if self.shard.is_short_of_space() {
                MAINTENANCE_WHILE_SHORT_MS
            } else {
                MAINTENANCE_MS
            });
        } else if self.shard.are_checkpoints_behind() || self.shard.should_checkpoint_at_once(now) {
            // Requests wait for this checkpoint, or for the space that it frees, so it is planned
            // at once and not at the next maintenance.
            self.plan_checkpoint(now);
        }
    }

    fn maintain(&mut self, now: Timestamp) {
        if let Some(spares) = self.shard.look_at_space() {
            drop(
                self.channels
                    .checkpointing
                    .send(CheckpointerJob::Release(spares)),
            );
        }
        self.shard.maintain(now);
        if self.shard.should_rotate(now) {
            // If the writer is too busy, it is asked again later. The next block starts the file.
            drop(self.channels.writer.blocks.try_send(Write::Rotate));
            self.shard.want_block();
        }
        self.plan_checkpoint(now);
    }

    /// Passes a due checkpoint to the checkpointer.
    fn plan_checkpoint(&mut self, now: Timestamp) {
        if now < self.plan_not_before {
            return;
        }
        if let Some(plan) = self.shard.plan_checkpoint(now)
            && let Some(checkpointer) = self.checkpointer.take()
        {
            let job = CheckpointJob {
                checkpointer,
                plan,
                done: self.channels.checkpointed.clone(),
            };
            drop(
                self.channels
                    .checkpointing
                    .send(CheckpointerJob::Checkpoint(Box::new(job))),
            );
        }
    }

    /// Has the shard do a piece of its part of a checkpoint, and measures how long that takes.
    fn checkpoint_piece(&mut self) {
        let begun = self.clock.monotonic();
        let retired = self.shard.checkpoint_piece(CHECKPOINT_PIECE_MAX);
        self.meter
            .paused_to_checkpoint(self.clock.monotonic().saturating_sub(begun));
        if let Some(retired) = retired {
            drop(
                self.channels
                    .checkpointing
                    .send(CheckpointerJob::Installed(retired)),
            );
        }
    }

    /// Handles the requests received so far, writes the changes, and waits until they are on disk.
    /// Then one more block proves that everything was written: it tells damage to the last blocks
    /// from a torn write.
    async fn drain(&mut self) {
        self.channels.requests.close();
        while let Some(request) = self.requests.pop() {
            self.shard.handle(request, self.clock.now());
        }
        while let Ok(request) = self.channels.requests.try_recv() {
            self.shard.handle(request, self.clock.now());
        }
        self.shard.take_up_all_waiting(self.clock.now());
        if self.write_all().await {
            self.shard.stop();
            self.write_all().await;
        }
    }

    /// Waits until everything that was decided, or is wanted, is on disk. Returns false if the
    /// writer fails.
    async fn write_all(&mut self) -> bool {
        while !self.shard.is_synced() {
            if self.in_flight == 0 {
                self.shard.want_block();
            }
            if !self.hand_over() {
                return false;
            }
            match self.channels.news.recv().await {
                Some(heard) => self.hear(heard),
                None => return false,
            }
        }
        true
    }
}
