//! Which partitions of a ledger have ready records.

use stele_base_types::PartitionIndex;

/// Which partitions have ready records, as a bitmap, so that finding the next of ten thousand is
/// quick.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct ReadyParts {
    words: Vec<u64>,
    count: u32,
}

impl ReadyParts {
    pub(crate) fn set(&mut self, partition: PartitionIndex, is_ready: bool) {
        let (word, bit) = (partition.0 as usize / 64, 1 << (partition.0 % 64));
        if word >= self.words.len() {
            if !is_ready {
                return;
            }
            self.words.resize(word + 1, 0);
        }
        let was_ready = self.words[word] & bit != 0;
        match (was_ready, is_ready) {
            (false, true) => self.count += 1,
            (true, false) => self.count -= 1,
            _ => return,
        }
        self.words[word] ^= bit;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// All of them, in circular order beginning at `start`.
    pub(crate) fn from(
        &self,
        start: PartitionIndex,
    ) -> impl Iterator<Item = PartitionIndex> + use<'_> {
        let wrapped = (!self.is_empty()).then_some(0..start.0);
        self.between(start.0..u32::MAX)
            .chain(wrapped.into_iter().flat_map(|range| self.between(range)))
    }

    fn between(
        &self,
        range: std::ops::Range<u32>,
    ) -> impl Iterator<Item = PartitionIndex> + use<'_> {
        let mut at = range.start;
        std::iter::from_fn(move || {
            let found = self.next_from(at)?;
            at = found + 1;
            (found < range.end).then_some(PartitionIndex(found))
        })
    }

    fn next_from(&self, at: u32) -> Option<u32> {
        let mut word = at as usize / 64;
        let mut bits = self.words.get(word)? & (u64::MAX << (at % 64));
        while bits == 0 {
            word += 1;
            bits = *self.words.get(word)?;
        }
        u32::try_from(word * 64 + bits.trailing_zeros() as usize).ok()
    }

    /// All of them, the last one first.
    pub(crate) fn down(&self) -> impl Iterator<Item = PartitionIndex> + use<'_> {
        let mut words = self.words.len();
        let mut bits = 0_u64;
        std::iter::from_fn(move || {
            while bits == 0 {
                words = words.checked_sub(1)?;
                bits = self.words[words];
            }
            let last = bits.ilog2();
            bits ^= 1 << last;
            u32::try_from(words * 64)
                .ok()
                .map(|first| PartitionIndex(first + last))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_partitions_are_found_all_round() {
        let mut ready = ReadyParts::default();
        for index in [3, 64, 200] {
            ready.set(PartitionIndex(index), true);
        }
        ready.set(PartitionIndex(1), false);
        ready.set(PartitionIndex(500), false);
        let from = |start| -> Vec<u32> {
            let found = ready.from(PartitionIndex(start));
            found.map(|partition| partition.0).collect()
        };
        assert_eq!(from(0), [3, 64, 200]);
        assert_eq!(from(64), [64, 200, 3]);
        assert_eq!(from(201), [3, 64, 200]);
        let down: Vec<u32> = ready.down().map(|partition| partition.0).collect();
        assert_eq!(down, [200, 64, 3]);
        ready.set(PartitionIndex(64), false);
        assert_eq!(
            ready.from(PartitionIndex(4)).next(),
            Some(PartitionIndex(200))
        );
    }
}
