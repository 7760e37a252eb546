//! Numbers in messages, and what is missing of them.

use std::collections::{BTreeSet, HashMap, VecDeque};

use stele_toolkit_envelope::Envelope;

/// How many missing numbers of a sequence are remembered. Of more, the oldest are forgotten, and
/// count as old when they come.
const MISSING_MAX: usize = 1000;

/// Finds gaps, late messages and duplicates by the numbers of messages: one sequence for each
/// source and key. A value without I/O; a handler keeps it in a
/// [`State`](crate::State).
///
/// The sender numbers its messages from its own data, such as the version of what it tells of, by
/// [`Outbox::publish_numbered`](crate::Outbox::publish_numbered).
#[derive(Debug)]
pub struct Sequences {
    streams: HashMap<Stream, Sequence>,
    /// In the order in which they began.
    known: VecDeque<Stream>,
    streams_max: usize,
}

/// Whose numbers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Stream {
    source: String,
    key: String,
}

#[derive(Debug)]
struct Sequence {
    next: u64,
    missing: BTreeSet<u64>,
}

/// What a number says about its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It is the next one, or the first that is seen.
    InOrder,
    /// Messages before it are missing: they may still come, late.
    Gap {
        /// The first that is missing.
        first: u64,
        /// How many are.
        count: u64,
    },
    /// It was missing.
    Late,
    /// It came before, or is too old to know.
    Old,
}

impl Sequences {
    /// Nothing is seen yet. Beyond `streams_max` sequences, the one that began first is forgotten.
    pub fn new(streams_max: usize) -> Self {
        Self {
            streams: HashMap::new(),
            known: VecDeque::new(),
            streams_max: streams_max.max(1),
        }
    }

    /// What an envelope's number says; `None` if it has none.
    pub fn observe(&mut self, envelope: &Envelope, key: &str) -> Option<Arrival> {
        let number = envelope.metadata.sequence?;
        Some(self.arrive(&envelope.source, key, number))
    }

    /// What a number of a source and key says.
    pub fn arrive(&mut self, source: &str, key: &str, number: u64) -> Arrival {
        let stream = Stream {
            source: source.to_owned(),
            key: key.to_owned(),
        };
        if let Some(sequence) = self.streams.get_mut(&stream) {
            return sequence.arrive(number);
        }
        if self.known.len() >= self.streams_max
            && let Some(oldest) = self.known.pop_front()
        {
            self.streams.remove(&oldest);
        }
        self.known.push_back(stream.clone());
        let sequence = Sequence {
            next: number.saturating_add(1),
            missing: BTreeSet::new(),
        };
        self.streams.insert(stream, sequence);
        Arrival::InOrder
    }

    /// The numbers of a source and key that are missing.
    pub fn missing(&self, source: &str, key: &str) -> Vec<u64> {
        let stream = Stream {
            source: source.to_owned(),
            key: key.to_owned(),
        };
        let sequence = self.streams.get(&stream);
        sequence.map_or_else(Vec::new, |it| it.missing.iter().copied().collect())
    }
}

impl Sequence {
    fn arrive(&mut self, number: u64) -> Arrival {
        if number < self.next {
            return match self.missing.remove(&number) {
                true => Arrival::Late,
                false => Arrival::Old,
            };
        }
        let first = self.next;
        let count = number - first;
        self.next = number.saturating_add(1);
        if count == 0 {
            return Arrival::InOrder;
        }
        let remembered = u64::try_from(MISSING_MAX).unwrap_or(u64::MAX).min(count);
        self.missing.extend(number - remembered..number);
        while self.missing.len() > MISSING_MAX {
            self.missing.pop_first();
        }
        Arrival::Gap { first, count }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn gaps_late_messages_and_duplicates_are_told() {
        let mut sequences = Sequences::new(10);
        let mut arrive = |number| sequences.arrive("order", "1", number);
        assert_eq!(arrive(5), Arrival::InOrder);
        assert_eq!(arrive(6), Arrival::InOrder);
        assert_eq!(arrive(9), Arrival::Gap { first: 7, count: 2 });
        assert_eq!(arrive(8), Arrival::Late);
        assert_eq!(arrive(8), Arrival::Old);
        assert_eq!(arrive(4), Arrival::Old);
        assert_eq!(arrive(10), Arrival::InOrder);
        assert_eq!(sequences.missing("order", "1"), [7]);
    }

    #[test]
    fn sources_and_keys_have_their_own() {
        let mut sequences = Sequences::new(2);
        for (source, key) in [("a", "1"), ("a", "2"), ("b", "1")] {
            assert_eq!(sequences.arrive(source, key, 7), Arrival::InOrder);
        }
        assert_eq!(sequences.arrive("a", "2", 7), Arrival::Old);
        assert_eq!(
            sequences.arrive("a", "1", 9),
            Arrival::InOrder,
            "the first is forgotten"
        );
    }

    #[test]
    fn a_huge_gap_takes_little_memory() {
        let mut sequences = Sequences::new(1);
        sequences.arrive("a", "", 0);
        let gap = sequences.arrive("a", "", u64::MAX);
        let count = u64::MAX - 1;
        assert_eq!(gap, Arrival::Gap { first: 1, count });
        assert_eq!(sequences.missing("a", "").len(), MISSING_MAX);
    }

    proptest! {
        /// Whatever the order, each number is new once, and what is missing is what didn't come.
        #[test]
        fn each_number_is_new_once(numbers in proptest::collection::vec(0_u64..50, 1..100)) {
            let mut sequences = Sequences::new(1);
            let mut seen = BTreeSet::new();
            let first = numbers[0];
            for number in numbers {
                let arrival = sequences.arrive("a", "k", number);
                let is_new = number >= first && seen.insert(number);
                prop_assert_eq!(is_new, arrival != Arrival::Old);
            }
            let last = *seen.last().expect("one number at least");
            let missing: Vec<u64> = (first..last).filter(|n| !seen.contains(n)).collect();
            prop_assert_eq!(sequences.missing("a", "k"), missing);
        }
    }
}
