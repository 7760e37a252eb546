//! Purges, trims and expiry with many listed records.

use stele_base_types::Name;

use super::*;
use crate::limits::SWEEP_MAX;

const MANY: u64 = 6_000;
const END: Offset = Offset(MANY);

fn purge(leased: bool) -> Purge {
    Purge {
        log: LOG,
        ledger: LedgerId::DEFAULT,
        leased,
    }
}

fn trim(to: Offset) -> Trim {
    Trim {
        partition: PartitionId::new(LOG, PartitionIndex(0)),
        to,
        reason: TrimReason::Asked,
    }
}

fn config(fifo: bool, expiry_ms: Option<u64>) -> LogConfig {
    LogConfig {
        queue: Some(LedgerConfig {
            fifo,
            expiry_ms,
            ..LedgerConfig::default()
        }),
        ..queue_config()
    }
}

/// A queue with records in all states: leased by sessions and with deadlines, returned with and
/// without delay, delayed from the start, settled, and never touched.
fn mixed(config: LogConfig) -> Shard {
    let mut shard = Shard::with(config);
    for number in 0..MANY {
        shard.append(scheduled(Schedule {
            group: Some(number * 7 % 2_000),
            delay_ms: (number % 5 == 0).then_some(100_000 + number),
            ..Schedule::default()
        }));
    }
    for session in 1..=16 {
        let lease_ms = (session % 2 == 0).then_some(200_000);
        let leased = shard.lease(LeaseRequest {
            lease_ms,
            ..request(session, 200)
        });
        for (nth, place) in leased.into_iter().enumerate() {
            match nth % 4 {
                0 => shard.settle(&[place], Outcome::Return(0)),
                1 => shard.settle(&[place], Outcome::Return(300_000)),
                2 => shard.settle(&[place], Outcome::Done),
                _ => Vec::new(),
            };
        }
    }
    let (ready, leased, delayed) = shard.counts();
    assert!(ready.min(leased).min(delayed) > SWEEP_MAX as u64);
    shard
}

/// The result of clearing at once, with the size of the shard's indexes after it.
fn at_once(mut shard: Shard, record: LogRecord) -> (Shard, usize) {
    shard.carry_out(Decision::record(Record::Log(LOG, record)));
    let entries = shard.state.logs.indexes.entries();
    (shard, entries)
}

/// Checks that each step removes a bounded number of records.
fn clear_in_pieces(shard: &mut Shard) {
    let mut steps = 0;
    while shard.state.logs.is_owed(LOG) {
        let before = shard.state.logs.indexes.entries();
        shard.clean_up_some();
        let taken = before - shard.state.logs.indexes.entries();
        assert!(taken <= 2 * SWEEP_MAX, "{taken} in one step");
        steps += 1;
    }
    assert!(steps > 3, "{steps} steps");
}

#[test]
fn a_purge_in_pieces_comes_to_what_it_would_at_once() {
    for (fifo, leased) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut shard = mixed(config(fifo, None));
        let (ready, held, delayed) = shard.counts();
        let asked = ready + delayed + if leased { held } else { 0 };
        assert_eq!(shard.run(purge(leased)), Ok(asked));
        clear_in_pieces(&mut shard);
        let left = if leased { 0 } else { held };
        assert_eq!(shard.counts(), (0, left, 0));

        let ends = [(PartitionIndex(0), END)].into_iter().collect();
        let record = if leased {
            LedgerRecord::Cleared(ends)
        } else {
            LedgerRecord::Purged(ends)
        };
        let record = LogRecord::Ledger(LedgerId::DEFAULT, record);
        let (whole, entries) = at_once(mixed(config(fifo, None)), record);
        assert_eq!(shard.state.store(), whole.state.store());
        assert_eq!(shard.state.logs.indexes.entries(), entries);
    }
}

#[test]
fn a_trim_in_pieces_comes_to_what_it_would_at_once() {
    for fifo in [false, true] {
        let to = Offset(MANY * 3 / 4 + 1);
        let mut shard = mixed(config(fifo, None));
        assert_eq!(shard.run(trim(to)), Ok(to));
        clear_in_pieces(&mut shard);
        let partition = PartitionId::new(LOG, PartitionIndex(0));
        let known = shard.state.logs.partition(partition);
        assert_eq!(known.map(|known| known.start), Some(to));

        let partition = PartitionIndex(0);
        let record = LogRecord::Trimmed { partition, to };
        let (whole, entries) = at_once(mixed(config(fifo, None)), record);
        assert_eq!(shard.state.store(), whole.state.store());
        assert_eq!(shard.state.logs.indexes.entries(), entries);
    }
}

#[test]
fn records_expire_in_pieces() {
    for fifo in [false, true] {
        let mut shard = mixed(config(fifo, Some(50_000)));
        let (_, held, _) = shard.counts();
        shard.now = shard.now.plus_ms(60_000);
        let mut steps = 0;
        loop {
            let before = shard.state.logs.indexes.entries();
            let decision = shard.state.tick(shard.now);
            if decision.is_nothing() {
                break;
            }
            shard.carry_out(decision);
            let taken = before.saturating_sub(shard.state.logs.indexes.entries());
            assert!(taken <= SWEEP_MAX + 1, "{taken} in one step");
            steps += 1;
        }
        assert!(steps > 3, "{steps} steps");
        assert_eq!(shard.counts(), (0, held, 0));
    }
}

#[test]
fn nothing_of_a_log_is_handed_out_while_it_is_cleared() {
    let mut shard = mixed(queue_config());
    let terms = subscribe(consumer(30, 1));
    shard.run(purge(true)).expect("it is a queue");
    shard
        .run(Subscribe { log: LOG, terms })
        .expect("subscribed");
    shard.append_many(1);
    assert_eq!(shard.delivered(), [(consumer(30, 1), vec![MANY])]);
    assert!(
        !shard.state.logs.is_owed(LOG),
        "dispatching went on with it"
    );
}

#[test]
fn a_trim_comes_after_the_purge_that_is_going_on() {
    let mut shard = mixed(config(true, None));
    shard.run(purge(false)).expect("it is a queue");
    assert_eq!(shard.run(trim(END)), Ok(END));
    clear_in_pieces(&mut shard);
    assert_eq!(shard.counts(), (0, 0, 0));
    assert_eq!(shard.ledger().floor(PartitionIndex(0)), Some(END));
}

#[test]
fn an_id_is_free_again_when_its_message_was_purged() {
    let with_id = || {
        scheduled(Schedule {
            group: Some(1),
            deduplication: Some(7),
            ..Schedule::default()
        })
    };
    let mut shard = Shard::with(fifo_config());
    assert!(!shard.append(with_id())[0].duplicate);
    assert!(shard.append(with_id())[0].duplicate);
    shard.run(purge(true)).expect("it is a queue");
    assert!(!shard.append(with_id())[0].duplicate);
    assert!(shard.append(with_id())[0].duplicate);
    // The id of a leased message must still be known.
    shard.lease(request(1, 1));
    shard.run(purge(false)).expect("it is a queue");
    assert!(shard.append(with_id())[0].duplicate);
    shard.restart();
    assert!(shard.append(with_id())[0].duplicate);
    assert_eq!(shard.run(purge(false)), Ok(1));
    assert!(!shard.append(with_id())[0].duplicate);
}

#[test]
fn a_log_goes_while_it_is_cleared() {
    let mut shard = mixed(queue_config());
    shard.run(purge(false)).expect("it is a queue");
    shard.delete(DeleteLog::anyway(LOG)).expect("it is open");
    assert_eq!(shard.clean_up(), 0);
    shard.sweep();
    assert_eq!(shard.state.logs.indexes.entries(), 0);
}

#[test]
fn a_ledger_goes_while_it_is_cleared() {
    let mut shard = mixed(queue_config());
    let name = Name::new("audit").expect("a name");
    let ledger = shard
        .run(OpenLedger {
            log: LOG,
            name: name.clone(),
            config: LedgerConfig::default(),
            start: LedgerStart::Earliest,
        })
        .expect("it opens");
    for _ in 0..4 {
        shard.lease(LeaseRequest {
            ledger,
            ..request(40, 200)
        });
    }
    let all = Purge {
        ledger,
        ..purge(true)
    };
    assert_eq!(shard.run(all), Ok(MANY));
    shard
        .run(CloseLedger { log: LOG, name })
        .expect("it is there");
    assert_eq!(shard.clean_up(), 1);
    assert!(!shard.state.logs.is_owed(LOG));
}

#[test]
fn a_purge_that_a_crash_cut_off_has_settled_some() {
    let mut shard = mixed(queue_config());
    let asked = shard.run(purge(true)).expect("it is a queue");
    shard.clean_up_some();
    shard.restart();
    let (ready, leased, delayed) = shard.counts();
    let left = ready + leased + delayed;
    assert!((1..asked).contains(&left), "{left} of {asked}");
    assert_eq!(shard.run(purge(true)), Ok(left));
    shard.clean_up();
    assert_eq!(shard.counts(), (0, 0, 0));
}
