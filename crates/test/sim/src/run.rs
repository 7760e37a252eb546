//! A run: clients, a process and a disk from one seed, and the laws that judge it.

mod finish;
mod stop;

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
};

use bytes::Bytes;
use stele_base_env::Disk;
use stele_base_types::Timestamp;
use stele_core_storage::Error;
use stele_test_disk::{Loss, MemoryDisk, Random};

use crate::{
    client::{Client, Turn},
    event::{Crash, Event, Found, Recovery, note_beside},
    laws::{self, Law},
    model::Model,
    process::{Luck, Process, Settings},
};

/// The result of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// A hash of everything that happened: two runs of a seed have the same.
    pub trace: u64,
    /// The number of events judged.
    pub events: u64,
    /// How many times the process ended and started again.
    pub crashes: u64,
    /// The number of checkpointed journal files that were reused.
    pub files_used_again: u64,
}

/// A law was broken.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed.
    pub seed: u64,
    /// The law's name.
    pub law: &'static str,
    /// What was wrong.
    pub what: String,
    /// The last events before.
    pub last: Vec<String>,
}

/// Runs a seed, judged by all laws or by the one with this number. A failure shows the last `shown`
/// events.
pub fn run(
    seed: u64,
    operations: u64,
    law: Option<u32>,
    shown: usize,
) -> Result<Outcome, Box<Failure>> {
    played(seed, operations, law, shown).map(|run| run.court.outcome)
}

/// All journal files that a seed's run has written, without the zeroes written ahead.
pub fn journals(seed: u64, operations: u64) -> Result<Vec<Bytes>, Box<Failure>> {
    let run = played(seed, operations, None, 0)?;
    let disk = run.disk.journal_alone();
    let files = disk.files().into_iter();
    let journals = files.filter(|path| path.extension().is_some_and(|it| it == "journal"));
    let read = journals.map(|path| {
        let bytes = disk.read(&path).expect("the file is there");
        let last = bytes.iter().rposition(|byte| *byte != 0);
        bytes.slice(..last.map_or(0, |last| last + 1))
    });
    Ok(read.collect())
}

fn played(seed: u64, operations: u64, law: Option<u32>, shown: usize) -> Result<Run, Box<Failure>> {
    let mut run = Run::new(seed);
    run.court.shown = shown;
    if let Some(number) = law {
        run.court.laws.retain(|law| law.number() == number);
    }
    let ended = catch_unwind(AssertUnwindSafe(|| run.live(operations)));
    let judged = ended.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.into()));
        let message = text.unwrap_or_else(|| "a panic without a message".into());
        run.court.judge(vec![Event::Panicked(message)])
    });
    match judged {
        Ok(()) => Ok(run),
        Err(broken) => Err(Box::new(Failure {
            seed,
            law: broken.law,
            what: broken.what,
            last: run.court.last.into_iter().collect(),
        })),
    }
}

#[derive(Debug)]
struct Run {
    random: Random,
    settings: Settings,
    disk: MemoryDisk,
    process: Option<Process>,
    client: Client,
    court: Court,
    /// The process's clock: it doesn't go back with the calendar.
    now: Timestamp,
    calendar: Timestamp,
    /// The latest time so far.
    latest: Timestamp,
}

/// A law that was broken.
#[derive(Debug)]
struct Broken {
    law: &'static str,
    what: String,
}

type Judged = Result<(), Broken>;

/// The laws, and the model they judge by.
#[derive(Debug)]
struct Court {
    laws: Vec<Box<dyn Law>>,
    model: Model,
    outcome: Outcome,
    last: VecDeque<String>,
    /// The number of last events that are kept.
    shown: usize,
}

impl Court {
    fn judge(&mut self, events: Vec<Event>) -> Judged {
        for event in events {
            let text = format!("{event:?}");
            self.note(&text);
            for law in &mut self.laws {
                law.judge(&event, &self.model).map_err(|what| Broken {
                    law: law.name(),
                    what,
                })?;
            }
            self.model.note(&event);
        }
        Ok(())
    }

    /// Extends the FNV-1a hash of what happened.
    fn note(&mut self, text: &str) {
        self.outcome.events += 1;
        for byte in text.bytes() {
            self.outcome.trace =
                (self.outcome.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.last.push_back(text.chars().take(600).collect());
        if self.last.len() > self.shown {
            self.last.pop_front();
        }
    }
}

/// Work done besides the clients' requests.
#[derive(Clone, Copy, Debug)]
enum Work {
    Write,
    Sync,
    News,
    Link,
    Post,
    Maintain,
    Checkpoint,
    Time,
    Jump,
    Die,
    Crash,
    Stop,
    FailSync,
    Fill,
}

const WORK: [(u64, Work); 14] = [
    (300, Work::Write),
    (200, Work::Sync),
    (350, Work::News),
    (60, Work::Link),
    (60, Work::Post),
    (60, Work::Maintain),
    (60, Work::Checkpoint),
    (150, Work::Time),
    (2, Work::Jump),
    (3, Work::Die),
    (2, Work::Crash),
    (1, Work::Stop),
    (1, Work::FailSync),
    (1, Work::Fill),
];

/// How long the log `aged` keeps records: long enough that they are no longer exempt from retention
/// as recent ones.
pub(crate) const AGED_MS: u64 = 60_000;

const START: Timestamp = Timestamp(1_700_000_000_000);

impl Run {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let settings = Settings::choose(&mut random);
        Self {
            random,
            client: Client::new(settings.has_letters),
            settings,
            disk: MemoryDisk::default(),
            process: None,
            court: Court {
                laws: laws::all(),
                model: Model::default(),
                outcome: Outcome {
                    trace: 0xcbf2_9ce4_8422_2325,
                    ..Outcome::default()
                },
                last: VecDeque::new(),
                shown: 0,
            },
            now: START,
            calendar: START,
            latest: START,
        }
    }

    fn live(&mut self, operations: u64) -> Judged {
        self.start()?;
        let mut left = operations;
        while left > 0 {
            let acts = self.random.once_in(2);
            if acts {
                left -= 1;
                self.act()?;
            } else {
                self.work()?;
            }
        }
        self.finish()
    }

    fn act(&mut self) -> Judged {
        let mut events = Vec::new();
        self.turn(&mut events, Client::act);
        self.court.judge(events)?;
        self.listen()
    }

    fn listen(&mut self) -> Judged {
        let mut events = Vec::new();
        self.turn(&mut events, Client::listen);
        note_beside(&mut events);
        self.court.judge(events)
    }

    fn turn(&mut self, events: &mut Vec<Event>, act: impl FnOnce(&mut Client, &mut Turn<'_>)) {
        if let Some(process) = &mut self.process {
            let mut turn = Turn {
                process,
                random: &mut self.random,
                events,
                model: &self.court.model,
                now: self.now,
            };
            act(&mut self.client, &mut turn);
        }
    }

    fn work(&mut self) -> Judged {
        let work = self.random.weighted(&WORK);
        let Some(process) = &mut self.process else {
            return Ok(());
        };
        let shard = self.random.place(process.shard_count());
        let anyway = self.random.once_in(8);
        let piece_max = self.random.between(1, 5) as usize;
        let done = match work {
            Work::Write => process.write(shard, self.now),
            Work::Sync => process.sync(shard, anyway),
            Work::Maintain => process.maintain(shard, self.now),
            Work::Checkpoint => process.checkpoint(shard, piece_max),
            Work::News => {
                process.deliver_news(shard, self.now);
                Ok(())
            }
            Work::Link => return self.carry_link(shard),
            Work::Post => return self.post(shard),
            Work::Time | Work::Jump => return self.pass_time(work),
            Work::Crash => return self.crash(),
            Work::Stop => return self.stop(),
            Work::Die => {
                self.disk.die_after(self.random.below(40));
                Ok(())
            }
            Work::FailSync => {
                self.fail_sync();
                Ok(())
            }
            Work::Fill => {
                let room = self.random.between(0, 200_000);
                let used = self.disk.used_bytes();
                let is_limited = self.random.once_in(2);
                self.disk.limit(is_limited.then_some(used + room));
                Ok(())
            }
        };
        self.survive(done)
    }

    /// One of the next syncs fails, with a random loss.
    fn fail_sync(&mut self) {
        let syncs = self.random.below(4);
        let loss = match self.random.below(3) {
            0 => Loss::Everything,
            _ => Loss::Some(self.random.bits()),
        };
        self.disk.fail_sync_after(syncs, loss);
    }

    fn carry_link(&mut self, shard: usize) -> Judged {
        let chances = [(6, Luck::Arrives), (1, Luck::Lost), (1, Luck::Doubled)];
        let luck = self.random.weighted(&chances);
        if let Some(process) = &mut self.process {
            process.carry_link(shard, luck, self.now);
            let links = process.links();
            self.listen()?;
            return self.court.judge(vec![Event::Linked(links)]);
        }
        Ok(())
    }

    /// The task that moves dead letters does some of its work.
    fn post(&mut self, shard: usize) -> Judged {
        let now = self.now;
        let posted = self
            .process
            .as_mut()
            .map(|process| process.post(shard, now));
        if let Some(Err(error)) = posted {
            return self.court.judge(vec![Event::Unreadable(error)]);
        }
        self.listen()
    }

    /// A failure of the disk ends the process.
    fn survive(&mut self, done: Result<(), Error>) -> Judged {
        self.listen()?;
        match done {
            Ok(()) => Ok(()),
            Err(Error::FloorsNotSynced { .. }) => Ok(()),
            // It is retried, until there is room.
            Err(error) if error.is_for_want_before_a_sync() && !self.disk.is_dead() => Ok(()),
            Err(error @ Error::Damaged { .. }) if !self.disk.is_dead() => {
                self.court.judge(vec![Event::Unreadable(error.to_string())])
            }
            Err(_) => self.crash(),
        }
    }

    fn pass_time(&mut self, work: Work) -> Judged {
        let passed_ms = self.random.between(1, 3_000);
        self.now = self.now.plus_ms(passed_ms);
        self.calendar = self.calendar.plus_ms(passed_ms);
        if let Work::Jump = work {
            let hour = 3_600_000;
            let jump = self.random.between(0, 2 * hour) as i64 - hour as i64;
            self.calendar = Timestamp(self.calendar.0 + jump);
            self.now = self.now.max(self.calendar);
        }
        self.latest = self.latest.max(self.now);
        self.court.judge(vec![Event::Time(self.now)])?;
        // What is due isn't always done at once.
        let is_jump = matches!(work, Work::Jump);
        if !is_jump && self.random.once_in(4) {
            return Ok(());
        }
        self.tick()
    }

    fn tick(&mut self) -> Judged {
        if let Some(process) = &mut self.process {
            process.tick(self.now);
        }
        self.court.judge(vec![Event::Ticked(self.now)])?;
        self.listen()
    }

    /// The process ends, the disk loses what it may, and the process starts again.
    fn crash(&mut self) -> Judged {
        let crash = if self.random.once_in(3) {
            Crash::Kill
        } else {
            Crash::PowerCut
        };
        self.end(crash)?;
        self.start()
    }

    fn end(&mut self, crash: Crash) -> Judged {
        self.process = None;
        match crash {
            Crash::Kill => self.disk.restart(),
            Crash::PowerCut => self.disk.cut_power(&mut self.random),
        }
        self.court.outcome.crashes += 1;
        let mut events = Vec::new();
        self.client.forget_process(&mut events);
        events.push(Event::Crashed(crash));
        self.court.judge(events)
    }

    /// Starts the process, with random crashes on the way, and compares what it found.
    fn start(&mut self) -> Judged {
        // A full disk usually stays full.
        if self.random.once_in(4) {
            self.disk.limit(None);
        }
        let undisturbed = self.recover_copy(&self.disk.after(Loss::Nothing), true)?;
        let is_looked_at = self.random.once_in(4);
        let alone = if is_looked_at {
            Some(self.recover_copy(&self.disk.journal_alone(), false)?)
        } else {
            None
        };
        loop {
            if self.random.once_in(2) {
                self.disk.die_after(self.random.below(30));
            } else if self.random.once_in(4) {
                self.fail_sync();
            }
            let is_sync_to_fail = self.disk.is_sync_to_fail();
            match Process::start(&self.settings, &self.disk, self.calendar) {
                Ok((process, states)) => {
                    self.now = process.began();
                    self.process = Some(process);
                    let recoveries = (0..).zip(states).map(|(shard, last): (usize, _)| Recovery {
                        last,
                        undisturbed: [undisturbed[0][shard].clone(), undisturbed[1][shard].clone()],
                        journal_alone: alone.as_ref().map(|alone| alone[0][shard].clone()),
                    });
                    let recovered = Event::Recovered(recoveries.collect());
                    let links = self.process.as_ref().map_or_else(Vec::new, Process::links);
                    return self.court.judge(vec![
                        recovered,
                        Event::Time(self.now),
                        Event::Linked(links),
                    ]);
                }
                Err(_) if self.disk.is_dead() => {
                    // A kill: data lost by the last crash stays lost.
                    self.disk.restart();
                }
                // The operator starts it again.
                Err(_) if is_sync_to_fail && !self.disk.is_sync_to_fail() => {}
                // The operator frees space.
                Err(error) if error.is_for_want() => self.disk.limit(None),
                Err(error) => return self.court.judge(vec![Event::Unreadable(error.to_string())]),
            }
        }
    }

    /// What two consecutive recoveries find on a copy of the disk.
    fn recover_copy(&mut self, disk: &MemoryDisk, twice: bool) -> Result<[Vec<Found>; 2], Broken> {
        let mut found = [Vec::new(), Vec::new()];
        for states in found.iter_mut().take(if twice { 2 } else { 1 }) {
            match Process::start(&self.settings, disk, self.calendar) {
                Ok((_, recovered)) => *states = recovered,
                Err(error) => {
                    let damage = vec![Event::Unreadable(error.to_string())];
                    self.court.judge(damage)?;
                }
            }
        }
        Ok(found)
    }
}
