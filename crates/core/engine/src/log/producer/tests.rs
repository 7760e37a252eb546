use stele_base_types::{LogId, PartitionIndex};

use super::*;

const PARTITION: PartitionId = PartitionId {
    log: LogId(1),
    index: PartitionIndex(0),
};

const NOW: Timestamp = Timestamp(1_000);

fn stamp(epoch: i16, sequence: i32) -> ProducerStamp {
    ProducerStamp {
        id: ProducerId(7),
        epoch: ProducerEpoch(epoch),
        sequence: Sequence(sequence),
    }
}

fn check(
    producers: &Producers,
    epoch: i16,
    sequence: i32,
    count: u32,
) -> Result<Option<Offset>, AppendError> {
    producers.check(stamp(epoch, sequence), count, PARTITION, NOW)
}

/// Batches of one record, at offsets equal to their numbers.
fn with_batches(sequences: std::ops::Range<i32>) -> Producers {
    let mut producers = Producers::default();
    for sequence in sequences {
        let base = Offset(u64::try_from(sequence).expect("not negative"));
        producers.note(stamp(3, sequence), 1, base, NOW);
    }
    producers
}

fn out_of_order(got: i32, expected: i32) -> Result<Option<Offset>, AppendError> {
    Err(AppendError::OutOfOrderSequence {
        partition: PARTITION,
        got: Sequence(got),
        expected: Sequence(expected),
    })
}

#[test]
fn an_unknown_producer_begins_with_any_number() {
    let mut producers = Producers::default();
    assert_eq!(check(&producers, 0, 0, 5), Ok(None));
    assert_eq!(check(&producers, 0, 5, 5), Ok(None));
    producers.note(stamp(0, 5), 5, Offset(0), NOW);
    assert_eq!(check(&producers, 0, 10, 1), Ok(None));
    // It may never have been appended, so treating it as a duplicate would lose it.
    assert_eq!(check(&producers, 0, 4, 1), out_of_order(4, 10));
}

#[test]
fn the_last_five_batches_are_answered_with_their_offsets() {
    let producers = with_batches(0..10);
    for sequence in 5..10u64 {
        let sent = i32::try_from(sequence).expect("small");
        assert_eq!(check(&producers, 3, sent, 1), Ok(Some(Offset(sequence))));
    }
    assert_eq!(check(&producers, 3, 10, 1), Ok(None));
    assert_eq!(check(&producers, 3, 4, 1), out_of_order(4, 10));
    assert_eq!(check(&producers, 3, 11, 1), out_of_order(11, 10));
}

#[test]
fn a_batch_cut_differently_is_no_duplicate() {
    let producers = with_batches(0..10);
    assert_eq!(check(&producers, 3, 8, 2), out_of_order(8, 10));
    assert_eq!(check(&producers, 3, 9, 2), out_of_order(9, 10));
}

#[test]
fn an_older_epoch_is_fenced_and_a_newer_one_begins_at_zero() {
    let mut producers = with_batches(0..10);
    let fenced = Err(AppendError::ProducerFenced {
        got: ProducerEpoch(2),
        current: ProducerEpoch(3),
    });
    assert_eq!(check(&producers, 2, 10, 1), fenced);
    assert_eq!(check(&producers, 4, 10, 1), out_of_order(10, 0));
    assert_eq!(check(&producers, 4, 0, 1), Ok(None));
    producers.note(stamp(4, 0), 1, Offset(10), NOW);
    assert_eq!(check(&producers, 4, 0, 1), Ok(Some(Offset(10))));
    assert_eq!(check(&producers, 4, 1, 1), Ok(None));
}

#[test]
fn numbers_wrap() {
    let mut producers = Producers::default();
    producers.note(stamp(3, i32::MAX - 1), 2, Offset(5), NOW);
    assert_eq!(check(&producers, 3, 0, 1), Ok(None));
    producers.note(stamp(3, 0), 1, Offset(7), NOW);
    let at_5 = Ok(Some(Offset(5)));
    assert_eq!(check(&producers, 3, i32::MAX - 1, 2), at_5);
    let long_ago = i32::MAX - 3;
    assert_eq!(check(&producers, 3, long_ago, 1), out_of_order(long_ago, 1));
    assert_eq!(check(&producers, 3, 2, 1), out_of_order(2, 1));
}

#[test]
fn a_producer_is_forgotten_after_a_day_of_silence() {
    let mut producers = with_batches(0..2);
    let day_later = NOW.plus_ms(PRODUCER_EXPIRY_MS);
    for sequence in [1, 2, 7] {
        let sent = producers.check(stamp(3, sequence), 1, PARTITION, day_later);
        assert_eq!(sent, Ok(None));
    }
    producers.forget(Timestamp(day_later.0 - 1));
    assert!(!producers.is_empty());
    producers.forget(day_later);
    assert!(producers.is_empty());
}

#[test]
fn of_very_many_producers_the_longest_silent_are_forgotten() {
    let mut producers = Producers::default();
    let most = i64::try_from(PRODUCERS_MAX).expect("small");
    for id in 0..3 * most {
        // One stays active while the others come and go.
        let at = NOW.plus_ms(id.unsigned_abs());
        for id in [id + 1, 0] {
            let stamp = ProducerStamp {
                id: ProducerId(id),
                ..stamp(0, 0)
            };
            producers.note(stamp, 1, Offset(0), at);
        }
        assert!(producers.producers.len() <= PRODUCERS_MAX);
    }
    assert!(producers.producers.contains_key(&ProducerId(0)));
    assert!(producers.producers.contains_key(&ProducerId(3 * most)));
    assert!(producers.producers.len() > PRODUCERS_MAX / 10 * 8);
}
