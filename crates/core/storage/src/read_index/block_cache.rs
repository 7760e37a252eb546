//! The most recent blocks, in memory.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::{Block, BlockSequence};

/// A window over the newest blocks.
#[derive(Debug)]
pub(crate) struct BlockCache {
    /// Dense; the first is block `first`.
    blocks: VecDeque<Bytes>,
    first: BlockSequence,
    /// The first block that isn't written yet: from here on, this is the only copy.
    unwritten: BlockSequence,
    size_bytes: usize,
    size_bytes_max: usize,
}

impl BlockCache {
    pub(crate) fn new(size_bytes_max: usize, next: BlockSequence) -> Self {
        Self {
            blocks: VecDeque::new(),
            first: next,
            unwritten: next,
            size_bytes: 0,
            size_bytes_max,
        }
    }

    pub(crate) fn push(&mut self, block: &Block) {
        let next = self.first.0 + self.blocks.len() as u64;
        assert_eq!(block.sequence.0, next, "blocks are installed in sequence");
        self.size_bytes += block.bytes.len();
        self.blocks.push_back(block.bytes.clone());
        self.evict();
    }

    /// Notes that all blocks up to `sequence` are written.
    pub(crate) fn written(&mut self, sequence: BlockSequence) {
        self.unwritten = self.unwritten.max(sequence.next());
        self.evict();
    }

    pub(crate) fn get(&self, sequence: BlockSequence) -> Option<&Bytes> {
        let at = sequence.0.checked_sub(self.first.0)?;
        self.blocks.get(usize::try_from(at).ok()?)
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.size_bytes
    }

    fn evict(&mut self) {
        while self.size_bytes > self.size_bytes_max && self.first < self.unwritten {
            let Some(block) = self.blocks.pop_front() else {
                return;
            };
            self.size_bytes -= block.len();
            self.first = self.first.next();
        }
    }
}
