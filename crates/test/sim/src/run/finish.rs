//! The end of a run: everything is done, consumed, removed and read.

use stele_base_types::LogId;

use super::{AGED_MS, Judged, Run};
use crate::{
    client::Client,
    event::{Crash, Event},
    process::Process,
};

/// How often all queues are consumed, at most.
const DRAINS_MAX: u64 = 100;

impl Run {
    /// The disk works again, all clients leave, everything left is consumed and removed; then
    /// everything is read.
    pub(super) fn finish(&mut self) -> Judged {
        // A start completes what a process has left undone: half of the runs end without one.
        if self.random.once_in(2) {
            self.end(Crash::PowerCut)?;
            self.start()?;
        }
        if self.disk.is_dead() {
            self.crash()?;
        }
        self.disk.restart();
        self.disk.limit(None);
        if let Some(process) = &mut self.process {
            process.look_at_space();
        }
        self.tick()?;
        self.run_until_idle()?;
        self.read_all()?;
        while self.client.has_sessions() {
            let mut events = Vec::new();
            self.turn(&mut events, Client::leave);
            self.court.judge(events)?;
            self.listen()?;
        }
        // Returned records may go to waiting clients until their waits end.
        self.run_until_idle()?;
        // After every deadline, including leases from before the clock was set back.
        self.now = self.latest.plus_ms(3_600_000);
        self.tick()?;
        self.run_until_idle()?;
        self.drain()?;
        self.sweep()?;
        self.court.outcome.files_used_again = self.disk.files_used_again();
        self.read_all()?;
        self.compare_shards()
    }

    /// Consumes everything. The room in a queue lets letters in that wait for it.
    fn drain(&mut self) -> Judged {
        for _ in 0..DRAINS_MAX {
            // Letters that couldn't be moved are left alone for a while.
            if self.settings.has_letters {
                self.now = self.now.plus_ms(2_000);
                self.tick()?;
                self.maintain_all()?;
                self.run_until_idle()?;
            }
            let mut events = Vec::new();
            self.turn(&mut events, Client::drain);
            let has_more = events.iter().any(|event| matches!(event, Event::Leased(_)));
            self.court.judge(events)?;
            self.listen()?;
            if !has_more || !self.settings.has_letters {
                return Ok(());
            }
        }
        let last = "the last letters never come".to_owned();
        self.court.judge(vec![Event::Unreadable(last)])
    }

    /// With nothing in transit, every shard has the logs that the catalogue defines.
    fn compare_shards(&mut self) -> Judged {
        let Some(process) = &self.process else {
            return Ok(());
        };
        let catalogue = process.catalogue();
        let at_rest = Event::AtRest {
            links: process.links(),
            defined: catalogue.all_logs().map(|log| log.id).collect(),
            open: process.open_logs(),
            moving: process.moving_logs(),
        };
        self.court.judge(vec![at_rest])
    }

    fn read_all(&mut self) -> Judged {
        let mut events = Vec::new();
        self.turn(&mut events, Client::audit);
        self.court.judge(events)
    }

    fn run_until_idle(&mut self) -> Judged {
        let now = self.now;
        let done = self
            .process
            .as_mut()
            .map(|process| process.run_until_idle(now));
        if let Some(Err(error)) = done {
            self.court
                .judge(vec![Event::Unreadable(error.to_string())])?;
        }
        self.listen()
    }

    fn maintain_all(&mut self) -> Judged {
        let now = self.now;
        for process in self.process.iter_mut() {
            for shard in 0..process.shard_count() {
                if let Err(error) = process.maintain(shard, now) {
                    let damage = Event::Unreadable(error.to_string());
                    return self.court.judge(vec![damage]);
                }
            }
        }
        Ok(())
    }

    /// Runs retention and checkpoints until nothing is left to do.
    fn sweep(&mut self) -> Judged {
        let step_ms = self.settings.options.journal_age_ms_max.max(AGED_MS) + 1;
        for _ in 0..6 {
            self.now = self.now.plus_ms(step_ms);
            self.tick()?;
            for shard in 0..usize::from(self.settings.shards) {
                let now = self.now;
                let Some(process) = &mut self.process else {
                    continue;
                };
                let steps = process
                    .maintain(shard, now)
                    .and_then(|()| process.checkpoint_all(shard))
                    .and_then(|()| process.run_until_idle(now))
                    .and_then(|()| process.maintain(shard, now))
                    .and_then(|()| process.checkpoint_all(shard));
                if let Err(error) = steps {
                    self.court
                        .judge(vec![Event::Unreadable(error.to_string())])?;
                }
            }
            self.listen()?;
        }
        self.court.judge(vec![Event::Swept {
            on_disk: self.logs_on_disk(),
            read: self
                .process
                .as_ref()
                .map_or_else(Vec::new, Process::read_logs),
            segment_bytes_max: self.settings.options.segment_size_bytes_max,
        }])
    }

    fn logs_on_disk(&self) -> Vec<LogId> {
        let files = self.disk.files();
        let logs = files.iter().filter_map(|path| {
            let mut parts = path.iter().skip_while(|part| *part != "segments");
            let log = parts.nth(1)?.to_str()?;
            log.parse().ok().map(LogId)
        });
        let mut logs: Vec<_> = logs.collect();
        logs.dedup();
        logs
    }
}
