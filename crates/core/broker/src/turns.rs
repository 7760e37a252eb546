//! Readers of a partition of which one reads at a time.
//!
//! ```text
//!  first in line: reads ─ ends ─► hands over the offset to continue at ─► the next one is woken
//!  the others: wait, in the order in which they came
//! ```
//!
//! The offset is kept as long as somebody is in line. A reader that comes first into an empty line
//! begins where it likes.

use std::{
    collections::VecDeque,
    sync::{Arc, Weak},
};

use hashbrown::HashMap;
use parking_lot::Mutex;
use stele_base_types::{Offset, PartitionId};

use crate::reader::Wake;

/// The lines of all partitions.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<PartitionId, Line>>);

/// The readers of a partition that take turns.
#[derive(Debug, Default)]
struct Line {
    next_number: u64,
    waiting: VecDeque<(u64, Weak<Wake>)>,
    /// Where the last one that was first has stopped.
    resume: Option<Offset>,
}

/// A reader's place in a line, which it leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    partition: PartitionId,
    number: u64,
    /// Where the next one is to continue, once this one has been first.
    pub(crate) stopped_at: Option<Offset>,
}

/// Whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// This reader's. If it was another's before: where that has stopped.
    Own(Option<Offset>),
    /// Another's.
    Others,
}

impl Turns {
    /// Puts a reader at the end of the line.
    pub(crate) fn join(self: &Arc<Self>, partition: PartitionId, wake: &Arc<Wake>) -> Turn {
        let mut lines = self.0.lock();
        let line = lines.entry(partition).or_default();
        let number = line.next_number;
        line.next_number += 1;
        line.waiting.push_back((number, Arc::downgrade(wake)));
        Turn {
            turns: Arc::clone(self),
            partition,
            number,
            stopped_at: None,
        }
    }
}

impl Turn {
    /// Whose turn it is. If it is another's, the reader is woken when it is its own.
    pub(crate) fn whose(&self) -> Whose {
        let lines = self.turns.0.lock();
        match lines.get(&self.partition) {
            Some(line) if line.is_first(self.number) => Whose::Own(line.resume),
            _ => Whose::Others,
        }
    }
}

impl Line {
    fn is_first(&self, number: u64) -> bool {
        let first = self.waiting.front();
        first.is_some_and(|(first, _)| *first == number)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut lines = self.turns.0.lock();
        let Some(line) = lines.get_mut(&self.partition) else {
            return;
        };
        let was_first = line.is_first(self.number);
        line.waiting.retain(|(number, _)| *number != self.number);
        if was_first {
            line.resume = self.stopped_at.or(line.resume);
            let next = line.waiting.front().and_then(|(_, wake)| wake.upgrade());
            if let Some(next) = next {
                next.wake();
            }
        }
        if line.waiting.is_empty() {
            lines.remove(&self.partition);
        }
    }
}

#[cfg(test)]
mod tests {
    use stele_base_types::{ConsumerId, LogId, PartitionIndex};

    use super::*;
    use crate::mailbox::Mailbox;

    fn join(turns: &Arc<Turns>) -> (Turn, Arc<Wake>) {
        let wake = Arc::new(Wake::new(Arc::<Mailbox>::default(), ConsumerId(1)));
        let partition = PartitionId::new(LogId(1), PartitionIndex(0));
        (turns.join(partition, &wake), wake)
    }

    #[test]
    fn the_next_in_line_continues_where_the_first_has_stopped() {
        let turns = Arc::<Turns>::default();
        let (mut first, _first) = join(&turns);
        let (second, _second) = join(&turns);
        let (third, _third) = join(&turns);
        assert_eq!(first.whose(), Whose::Own(None));
        assert_eq!([second.whose(), third.whose()], [Whose::Others; 2]);

        drop(second);
        assert_eq!(third.whose(), Whose::Others);
        first.stopped_at = Some(Offset(7));
        drop(first);
        assert_eq!(third.whose(), Whose::Own(Some(Offset(7))));

        // It hands on what it was given if it never began.
        let (last, _last) = join(&turns);
        drop(third);
        assert_eq!(last.whose(), Whose::Own(Some(Offset(7))));
        drop(last);
        assert!(turns.0.lock().is_empty());
    }
}
