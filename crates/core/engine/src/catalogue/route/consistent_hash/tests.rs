use std::collections::HashMap;

use stele_base_types::{LogId, Name};

use super::*;
use crate::catalogue::NoHeaders;

const MESSAGES: usize = 10_000;

fn log(id: u64) -> BindingTarget {
    BindingTarget::Log(LogId(id))
}

fn index(weights: &[(u64, &str)]) -> ConsistentHashIndex {
    let mut index = ConsistentHashIndex::new(&Arguments::new());
    for (id, key) in weights {
        index.insert(key, &log(*id));
    }
    index
}

fn target(index: &ConsistentHashIndex, key: &str) -> BindingTarget {
    index.matching(&[key], &NoHeaders).unwrap().clone()
}

fn routed(index: &ConsistentHashIndex) -> Vec<BindingTarget> {
    let keys = (0..MESSAGES).map(|at| format!("key.{at}"));
    keys.map(|key| target(index, &key)).collect()
}

fn counts(routed: &[BindingTarget]) -> HashMap<&BindingTarget, usize> {
    let mut counts = HashMap::new();
    for target in routed {
        *counts.entry(target).or_default() += 1;
    }
    counts
}

#[test]
fn targets_get_messages_in_proportion_to_their_weights() {
    let routed = routed(&index(&[(1, "1"), (2, "1"), (3, "2"), (4, "4")]));
    let counts = counts(&routed);
    for (id, eighths) in [(1, 1), (2, 1), (3, 2), (4, 4)] {
        let expected = MESSAGES * eighths / 8;
        let found = counts[&log(id)];
        assert!(
            found.abs_diff(expected) < expected / 8,
            "{id}: {found} of {expected}"
        );
    }
}

#[test]
fn the_order_of_bindings_changes_nothing() {
    let one = index(&[(1, "3"), (2, "1"), (3, "2"), (1, "4")]);
    let other = index(&[(3, "2"), (1, "4"), (1, "3"), (2, "1")]);
    assert_eq!(routed(&one), routed(&other));
}

#[test]
fn a_target_that_comes_only_takes_and_one_that_goes_only_gives() {
    let mut index = index(&[(1, "1"), (2, "1"), (3, "1")]);
    let before = routed(&index);
    index.insert("1", &log(4));
    let with = routed(&index);
    let moved = before.iter().zip(&with).filter(|(a, b)| a != b);
    let moved: Vec<_> = moved.collect();
    assert!(moved.iter().all(|(_, to)| **to == log(4)));
    assert!(moved.len().abs_diff(MESSAGES / 4) < MESSAGES / 20);
    index.remove("1", &log(4));
    assert_eq!(routed(&index), before);
    index.remove("1", &log(3));
    index.remove("1", &log(2));
    index.remove("1", &log(1));
    assert!(index.matching(&["k"], &NoHeaders).is_none());
}

#[test]
fn a_weight_larger_than_any_number_takes_all() {
    let routed = routed(&index(&[(1, "1"), (2, "1000000000000000000000000000")]));
    assert!(routed.iter().all(|target| *target == log(2)));
}

#[test]
fn logs_and_exchanges_get_equal_shares() {
    let mut index = index(&[(1, "1")]);
    let exchange = BindingTarget::Exchange(Name::new("e").unwrap());
    index.insert("1", &exchange);
    let routed = routed(&index);
    let to_exchange = counts(&routed)[&exchange];
    assert!(to_exchange.abs_diff(MESSAGES / 2) < MESSAGES / 20);
}

/// A message with one header and one property.
struct Message<'a> {
    header: &'a str,
    property: &'a str,
}

impl Headers for Message<'_> {
    fn header(&self, name: &str) -> Option<Argument> {
        (name == "user").then(|| Argument::Text(self.header.as_bytes().into()))
    }

    fn property(&self, name: &str) -> Option<Box<[u8]>> {
        (name == "message_id").then(|| self.property.as_bytes().into())
    }

    fn random(&self) -> u64 {
        0
    }
}

#[test]
fn a_header_or_a_property_is_hashed_in_place_of_the_key() {
    for (argument, name) in [(HASH_HEADER, "user"), (HASH_PROPERTY, "message_id")] {
        let named = Argument::Text(name.as_bytes().into());
        let arguments = Arguments::from([(argument.into(), named)]);
        let mut index = ConsistentHashIndex::new(&arguments);
        for id in 1..=10 {
            index.insert("1", &log(id));
        }
        let route = |text: &str, key: &str| {
            let (header, property) = match argument {
                HASH_HEADER => (text, key),
                _ => (key, text),
            };
            let message = Message { header, property };
            index.matching(&[key], &message).unwrap().clone()
        };
        let texts: Vec<_> = (0..100).map(|at| format!("u{at}")).collect();
        let first: Vec<_> = texts.iter().map(|text| route(text, "a")).collect();
        let second: Vec<_> = texts.iter().map(|text| route(text, "b")).collect();
        assert_eq!(first, second);
        assert!(counts(&first).len() > 5);
        let none: Vec<_> = texts.iter().map(|text| target(&index, text)).collect();
        assert_eq!(counts(&none).len(), 1, "without it, all go one way");
    }
}
