//! Places in the order of all events of a store.

use std::{cmp::Ordering, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A place in the order of all events of a store: behind one event and everything before it.
///
/// Its text is a token for clients: what a command answers, and what a query waits for.
///
/// | text | |
/// |---|---|
/// | `start` | before the first event |
/// | `7.42` | SQL and memory: the transaction's number, 0 except on PostgreSQL, and the event's |
/// | `0:18432,2:5120` | a log: for each partition, the place from which to read on |
///
/// Positions in a log with several partitions have no total order: that behind an event of one
/// partition says nothing about the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Position {
    /// Before the first event.
    #[default]
    Start,
    /// Behind a row of a table.
    Row {
        /// The number that orders the transactions.
        xid: u64,
        /// The row's number.
        id: u64,
    },
    /// Behind events of a log: partitions in ascending order, with the place from which to read
    /// on. That is 1,024 times a record's offset, plus the number of its events that were read.
    Log(Vec<(u32, u64)>),
}

impl Position {
    /// Whether who has read up to here has read everything up to `other`. Not if they are places
    /// of different kinds of stores.
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Start) => true,
            (Self::Row { xid, id }, Self::Row { xid: x, id: i }) => (xid, id) >= (x, i),
            (Self::Log(_), Self::Log(wanted)) => {
                wanted.iter().all(|(of, next)| self.place(*of) >= *next)
            }
            _ => false,
        }
    }

    /// The place in a partition from which to read on; 0 if nothing of it was read.
    pub fn place(&self, partition: u32) -> u64 {
        let Self::Log(all) = self else { return 0 };
        let found = all.binary_search_by_key(&partition, |(of, _)| *of);
        found.map_or(0, |at| all[at].1)
    }

    /// The same with another place in a partition.
    #[must_use]
    pub fn with_place(&self, partition: u32, next: u64) -> Self {
        let mut all = match self {
            Self::Log(all) => all.clone(),
            Self::Start | Self::Row { .. } => Vec::new(),
        };
        match all.binary_search_by_key(&partition, |(of, _)| *of) {
            Ok(at) => all[at].1 = next,
            Err(at) => all.insert(at, (partition, next)),
        }
        Self::Log(all)
    }
}

impl PartialOrd for Position {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (self.covers(other), other.covers(self)) {
            (true, true) => Some(Ordering::Equal),
            (true, false) => Some(Ordering::Greater),
            (false, true) => Some(Ordering::Less),
            (false, false) => None,
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("start"),
            Self::Row { xid, id } => write!(f, "{xid}.{id}"),
            Self::Log(all) => {
                for (index, (partition, next)) in all.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    write!(f, "{comma}{partition}:{next}")?;
                }
                Ok(())
            }
        }
    }
}

/// A text isn't a position.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} isn't a position")]
pub struct PositionError {
    /// The text, or its beginning.
    pub text: String,
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        parsed(text).ok_or_else(|| PositionError {
            text: text.chars().take(64).collect(),
        })
    }
}

fn parsed(text: &str) -> Option<Position> {
    if text == "start" {
        return Some(Position::Start);
    }
    if let Some((xid, id)) = text.split_once('.') {
        let (xid, id) = (xid.parse().ok()?, id.parse().ok()?);
        return Some(Position::Row { xid, id });
    }
    let mut all: Vec<(u32, u64)> = Vec::new();
    for part in text.split(',') {
        let (partition, next) = part.split_once(':')?;
        let (partition, next) = (partition.parse().ok()?, next.parse().ok()?);
        if all.last().is_some_and(|(before, _)| *before >= partition) {
            return None;
        }
        all.push((partition, next));
    }
    Some(Position::Log(all))
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(text: &str) -> Position {
        text.parse().expect("a position")
    }

    #[test]
    fn positions_are_read_as_written() {
        for text in ["start", "0.0", "7.42", "0:18", "0:18,2:5"] {
            assert_eq!(position(text).to_string(), text);
        }
        for text in [
            "", "7", "7.", ".7", "1:2,1:3", "2:1,1:1", "1:", "a:1", "-1.0",
        ] {
            assert!(text.parse::<Position>().is_err(), "{text}");
        }
    }

    #[test]
    fn rows_are_ordered_by_transaction_then_number() {
        assert!(position("start") < position("0.1"));
        assert!(position("1.9") < position("2.3"));
        assert!(position("2.3") < position("2.4"));
        assert!(position("2.4").covers(&position("2.4")));
    }

    #[test]
    fn places_in_a_log_cover_others_only_partition_by_partition() {
        assert!(position("0:2,1:5").covers(&position("1:5")));
        assert!(!position("0:2,1:5").covers(&position("1:6")));
        assert!(!position("0:2").covers(&position("1:1")));
        assert_eq!(position("0:2").partial_cmp(&position("1:1")), None);
        assert_eq!(position("0:2").partial_cmp(&position("0.1")), None);
    }

    #[test]
    fn a_place_is_set_for_its_partition() {
        let at = position("1:5").with_place(0, 2).with_place(1, 6);
        assert_eq!(at, position("0:2,1:6"));
        assert_eq!((at.place(1), at.place(7)), (6, 0));
    }
}
