//! Law 9.

use super::*;

#[test]
fn a_needed_record_that_is_removed_breaks_law_9() {
    let beginning = [vec![queue()], filled(1), vec![leased(7, 0)]].concat();
    let gone = was_read(1, 1, &[]);
    let done = settled(0, Outcome::Done);
    let removed = std::slice::from_ref(&gone);
    law_tells(9, &beginning, &[done, gone.clone()], removed);
    let trimmed = Event::Trimming(PARTITION, Offset(1));
    assert_eq!(
        broken_by(&[beginning, vec![trimmed, gone]].concat()),
        [].into()
    );
}

#[test]
fn a_window_that_is_cut_short_breaks_law_9() {
    // Sixty bytes per record: a window of 100 needs two of them after a removed one.
    let by_size = [vec![topic(None, Some(100))], filled(3)].concat();
    law_tells(9, &by_size, &[was_read(1, 3, &[])], &[was_read(2, 3, &[])]);
    let on_its_way = [by_size, vec![published(&[4])]].concat();
    assert_eq!(
        broken_by(&[on_its_way, vec![was_read(2, 3, &[])]].concat()),
        [].into()
    );
    let by_age = [vec![topic(Some(100), None)], filled(1)].concat();
    let at = |now| [Event::Time(Timestamp(now)), was_read(1, 1, &[])];
    law_tells(9, &by_age, &at(101), &at(100));
}

#[test]
fn what_nobody_needs_and_stays_breaks_law_9() {
    let swept = |on_disk| Event::Swept {
        on_disk,
        read: vec![],
        segment_bytes_max: 100,
    };
    let done = [
        leased(7, 0),
        settled(0, Outcome::Done),
        Event::Drained(LogId(1)),
    ];
    let drained = [vec![queue()], filled(1), done.to_vec(), vec![swept(vec![])]].concat();
    law_tells(
        9,
        &drained,
        &[audited(1, 1, &[])],
        &[audited(0, 1, &[(0, 1)])],
    );

    let large = |record: u64| {
        let publish = Publish {
            size_bytes: 5_000,
            ..publish(&[record])
        };
        [Event::Published(publish), acknowledged(record, record - 1)]
    };
    let records = (1..=3).flat_map(large).collect();
    let topic = [vec![topic(None, Some(100))], records, vec![swept(vec![])]].concat();
    let whole = audited(0, 3, &[(0, 1), (1, 2), (2, 3)]);
    law_tells(9, &topic, &[audited(2, 3, &[(2, 3)])], &[whole]);

    let deleted = [Event::Deleting(LogId(1)), Event::Deleted(LogId(1))];
    law_tells(9, &deleted, &[swept(vec![])], &[swept(vec![LogId(1)])]);
    let read = Event::Swept {
        on_disk: vec![],
        read: vec![LogId(1)],
        segment_bytes_max: 100,
    };
    law_tells(9, &deleted, &[swept(vec![])], &[read]);
}
