use smallvec::smallvec;
use stele_base_types::{Offset, PartitionId, PartitionIndex};
use stele_core_engine::{
    Append, AppendTarget, Columns, Command, Decision, LedgerId, OpenLog, State,
};

use super::*;

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const YEAR_MS: u64 = 365 * DAY_MS;
const LOG: LogId = LogId(1);

/// A xorshift generator: the same numbers in each run.
struct Numbers(u64);

impl Numbers {
    fn up_to(&mut self, max: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % (max + 1)
    }
}

/// How many stays a message has that is due in this time, if each ends as late as it can. Checks
/// that none ends too late.
fn stays(mut left_ms: u64) -> u32 {
    let mut count = 0;
    while let Some(stay) = next_stay(left_ms) {
        let life_ms = stay.expiry_ms.expect("it has a life");
        let latest_ms = life_ms + life_ms / 100;
        assert!(latest_ms + MARGIN_MS <= left_ms, "{left_ms} ms");
        left_ms -= latest_ms;
        count += 1;
    }
    assert!(left_ms <= HELD_MS_MAX);
    count
}

#[test]
fn each_stay_ends_before_the_message_is_due_and_there_are_few() {
    assert_eq!(next_stay(HELD_MS_MAX), None);
    assert_eq!(stays(HELD_MS_MAX + 1), 1);
    let mut numbers = Numbers(1);
    let mut sum = 0;
    for _ in 0..10_000 {
        let count = stays(numbers.up_to(YEAR_MS));
        assert!(count <= 20, "{count} stays");
        sum += count;
    }
    assert!(sum < 100_000, "{sum} stays of 10,000 messages");
    for left_ms in [SCHEDULED_MS_MAX, 1 << 50, u64::MAX] {
        let stay = next_stay(left_ms).expect("it is far");
        assert!(stay.priority.is_some_and(|it| u32::from(it) < STAYS));
    }
    assert!(stays(SCHEDULED_MS_MAX) <= 28);
}

#[test]
fn a_header_is_read_as_it_was_written() {
    let scheduled = Scheduled {
        due_ms: 5,
        more_keys: vec!["a".to_owned(), "b".to_owned()],
        delays_all: true,
        taken: vec![LogId(9)],
    };
    let value = scheduled.value();
    let read: Scheduled = serde_json::from_slice(&value).expect("it is JSON");
    assert_eq!(read, scheduled);
    let short = Scheduled {
        due_ms: 5,
        ..Scheduled::default()
    };
    let read = serde_json::from_slice::<Scheduled>(br#"{"due-ms":5}"#);
    assert_eq!(read.expect("it is JSON"), short);
}

/// The state of a shard with a log for scheduled messages.
struct Alone {
    state: State,
    now: Timestamp,
}

impl Alone {
    fn new() -> Self {
        let mut alone = Self {
            state: State::default(),
            now: Timestamp(1_000_000),
        };
        let config = declaration(&Name::vhost_default()).config;
        let open = OpenLog { log: LOG, config };
        let opened = open.decide(&alone.state, alone.now).expect("it opens");
        alone.carry_out(&opened);
        alone
    }

    fn carry_out<R>(&mut self, decision: &Decision<R>) {
        for record in &decision.records {
            self.state.apply(record);
        }
    }

    fn append(&mut self, left_ms: u64) {
        let stay = next_stay(left_ms).expect("it is far");
        let append = Append {
            targets: smallvec![AppendTarget::any_partition(LOG)],
            count: 1,
            size_bytes: 100 + u32::try_from(left_ms % 1_000).expect("it is small"),
            timestamp: self.now,
            producer: None,
            columns: Columns::of([stay]),
        };
        let appended = append.decide(&self.state, self.now).expect("appended");
        self.carry_out(&appended);
    }

    /// Shows what was appended, and lets time pass.
    fn pass(&mut self, duration_ms: u64) {
        let log = self.state.logs.log(LOG).expect("it is open");
        let ends: Vec<(PartitionId, Offset)> = (0..STAYS)
            .zip(&log.partitions)
            .map(|(index, it)| (PartitionId::new(LOG, PartitionIndex(index)), it.end))
            .collect();
        let shown = self.state.committed(&ends);
        self.carry_out(&shown);
        self.now = self.now.plus_ms(duration_ms);
        loop {
            let decision = self.state.tick(self.now);
            if decision.is_nothing() {
                break;
            }
            self.carry_out(&decision);
        }
    }

    fn counts(&self) -> (u64, u64) {
        let log = self.state.logs.log(LOG).expect("it is open");
        let ledger = log.ledger(LedgerId::DEFAULT).expect("it is a queue");
        (ledger.ready(), ledger.dead())
    }

    fn size_bytes(&self) -> usize {
        let parts = self.state.store().into_iter();
        parts.map(|(_, bytes)| bytes.len()).sum()
    }
}

#[test]
fn a_million_messages_due_within_a_year_cost_no_memory_of_their_own() {
    let (mut alone, mut numbers) = (Alone::new(), Numbers(1));
    for place in 1..=1_000_000 {
        alone.append(HELD_MS_MAX + 1 + numbers.up_to(YEAR_MS));
        if place % 100 == 0 {
            alone.pass(numbers.up_to(100_000));
        }
        if place % 50_000 == 0 {
            let size_bytes = alone.size_bytes();
            assert!(size_bytes < 128 << 10, "{size_bytes} bytes for {place}");
        }
    }
    let (ready, dead) = alone.counts();
    assert_eq!(ready + dead, 1_000_000);
    // Six days have passed.
    assert!(ready > 900_000 && dead > 1_000, "{ready} and {dead}");
    // There is a deadline for each partition, and nothing for a message.
    assert!(alone.state.bytes().records <= STAYS as usize * 160);
}
