use std::sync::Arc;

use stele_toolkit_envelope::{Context, Envelope, RawJson, SeededIds};

use super::*;

/// An event of a time in seconds since 1970, with an id of its own.
fn event(id: &str, seconds: i64) -> Envelope {
    let timestamp = Timestamp::from_millis(seconds * 1000);
    let context = Context::new("test").with_ids(Arc::new(SeededIds::new(1, timestamp)));
    Envelope {
        message_id: id.to_owned(),
        message_type: "Noted".to_owned(),
        version: stele_toolkit_envelope::Version::new(1, 0),
        timestamp: context.ids.now(),
        source: context.source,
        correlation_id: id.to_owned(),
        data: RawJson::null(),
        metadata: Default::default(),
        unknown: Default::default(),
    }
}

fn stream(id: &str) -> StreamId {
    StreamId::new("Note", id).unwrap()
}

fn append(id: &str, expected: Option<u64>, ids: &[&str]) -> Option<Append> {
    Some(Append {
        stream: stream(id),
        expected,
        events: ids.iter().map(|id| event(id, 7)).collect(),
    })
}

fn appended(version: u64, offset: u64) -> Verdict {
    let place = place::before(offset + 1, 0);
    Verdict::Appended { version, place }
}

#[test]
fn the_order_of_records_decides() {
    let mut index = Index::new(1);
    index.apply(0, 0, append("a", Some(0), &["1", "2"]));
    index.apply(0, 1, append("a", Some(0), &["3"]));
    index.apply(0, 2, None);
    index.apply(0, 5, append("a", Some(2), &["4"]));
    index.apply(0, 6, append("b", Some(2), &["5"]));
    index.apply(0, 7, append("b", None, &["6"]));
    assert_eq!(index.verdict(0, 0), appended(2, 0));
    assert_eq!(index.verdict(0, 1), Verdict::Conflict { actual: 2 });
    assert_eq!(index.verdict(0, 5), appended(3, 5));
    assert_eq!(index.verdict(0, 6), Verdict::Conflict { actual: 0 });
    assert_eq!(index.verdict(0, 7), appended(1, 7));
    assert_eq!(index.next(0), 8);
}

#[test]
fn a_record_that_is_written_twice_counts_once() {
    let mut index = Index::new(1);
    index.apply(0, 0, append("a", Some(0), &["1", "2"]));
    index.apply(0, 1, append("a", Some(2), &["3"]));
    index.apply(0, 2, append("a", Some(0), &["1", "2"]));
    index.apply(0, 3, append("a", None, &["2", "3"]));
    index.apply(0, 4, append("b", None, &["1"]));
    index.apply(0, 5, append("a", None, &["3", "4"]));
    index.apply(0, 6, append("a", None, &["5", "5"]));
    let place = place::before(1, 0);
    assert_eq!(index.verdict(0, 2), Verdict::Repeated { version: 2, place });
    let place = place::before(2, 0);
    assert_eq!(index.verdict(0, 3), Verdict::Repeated { version: 3, place });
    for offset in [4, 5, 6] {
        assert_eq!(index.verdict(0, offset), Verdict::IdInUse, "{offset}");
    }
    let planned = index.of_stream(0, &stream("a"), 0, Until::Latest, 10);
    let versions: Vec<(u64, usize)> = planned.iter().map(|it| (it.version, it.count)).collect();
    assert_eq!(versions, [(1, 2), (3, 1)]);
}

#[test]
fn pages_go_on_within_a_record_and_pass_what_does_not_count() {
    let mut index = Index::new(2);
    index.apply(1, 0, append("a", Some(0), &["1", "2", "3"]));
    index.apply(1, 1, append("a", Some(0), &["4"]));
    let mut at = Position::Start;
    let mut seen = Vec::new();
    loop {
        let page = index.behind(&at, 2);
        let plans = page.records.iter();
        seen.extend(plans.map(|it| (it.offset, it.first, it.count, it.version)));
        assert_ne!(page.position, at);
        at = page.position;
        if page.is_end {
            break;
        }
    }
    assert_eq!(seen, [(0, 0, 2, 1), (0, 2, 1, 3)]);
    assert_eq!(at, Position::Start.with_place(1, place::before(2, 0)));
    let after = index.behind(&at, 2);
    assert!(after.records.is_empty() && after.is_end && after.position == at);
}

#[test]
fn a_busy_partition_does_not_keep_others_from_being_read() {
    let mut index = Index::new(3);
    for offset in 0..200 {
        let id = format!("busy-{offset}");
        index.apply(0, offset, append("a", None, &[&id]));
    }
    index.apply(2, 0, append("b", None, &["quiet"]));
    let mut at = Position::Start;
    for page in 0.. {
        assert!(page < 30, "the quiet partition is never first");
        at = index.behind(&at, 4).position;
        if at.place(2) > 0 {
            break;
        }
    }
}
