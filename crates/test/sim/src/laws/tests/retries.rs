use super::*;

fn stamped(record: u64, epoch: i16, sequence: i32) -> Event {
    let stamp = ProducerStamp {
        id: ProducerId(3),
        epoch: ProducerEpoch(epoch),
        sequence: Sequence(sequence),
    };
    Event::Published(Publish {
        stamp: Some(stamp),
        ..publish(&[record])
    })
}

#[test]
fn a_doubled_and_a_turned_retry_break_law_5() {
    let beginning = [queue(), stamped(1, 0, 0), stamped(2, 0, 1)];
    let lawful = [audited(0, 2, &[(0, 1), (1, 2)])];
    law_tells(5, &beginning, &lawful, &[audited(0, 2, &[(0, 1), (1, 1)])]);
    law_tells(5, &beginning, &lawful, &[audited(0, 2, &[(0, 2), (1, 1)])]);
}

#[test]
fn a_fenced_write_that_succeeds_breaks_law_5() {
    let newer = [
        queue(),
        stamped(1, 1, 0),
        acknowledged(1, 0),
        stamped(2, 0, 0),
    ];
    let fenced = AppendError::ProducerFenced {
        got: ProducerEpoch(0),
        current: ProducerEpoch(1),
    };
    let refused = [Event::Refused(PublishId(2), Some(fenced))];
    law_tells(5, &newer, &refused, &[acknowledged(2, 1)]);
}

#[test]
fn a_refusal_of_what_follows_breaks_law_5() {
    let refused = |expected| {
        let error = AppendError::OutOfOrderSequence {
            partition: PARTITION,
            got: Sequence(1),
            expected: Sequence(expected),
        };
        Event::Refused(PublishId(2), Some(error))
    };
    let first = [queue(), stamped(1, 0, 0), acknowledged(1, 0)];
    let follows = [first.as_slice(), &[stamped(2, 0, 1)]].concat();
    let skips = [first.as_slice(), &[stamped(2, 0, 2)]].concat();
    law_tells(5, &follows, &[acknowledged(2, 1)], &[refused(1)]);
    assert_eq!(broken_by(&[skips, vec![refused(1)]].concat()), [].into());
}

#[test]
fn a_refusal_of_the_first_that_is_heard_of_a_producer_breaks_law_5() {
    let error = AppendError::OutOfOrderSequence {
        partition: PARTITION,
        got: Sequence(7),
        expected: Sequence(0),
    };
    let refused = Event::Refused(PublishId(1), Some(error));
    let beginning = [queue(), stamped(1, 0, 7)];
    law_tells(5, &beginning, &[acknowledged(1, 0)], &[refused]);
}
