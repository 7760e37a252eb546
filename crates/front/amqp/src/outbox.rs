//! The pending output to a client.
//!
//! Frames are collected in one growing buffer. A large body is kept as a slice between two such
//! buffers; a vectored write sends the pieces.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes, BytesMut};
use stele_front_accept::COPIED_SLICE_BYTES_MAX;
use stele_wire_amqp::{ContentHeader, HEARTBEAT_FRAME, Method, RawProperties, Writer, encode};
use stele_wire_amqp::{limits::FRAME_OVERHEAD_BYTES, method::basic};

use crate::limits::{BODY_COPY_BYTES, OUTBOX_HIGH_BYTES};

/// Frames in the order of writing.
#[derive(Debug)]
pub(crate) struct Outbox {
    pieces: VecDeque<Bytes>,
    tail: BytesMut,
    body_frame_bytes_max: usize,
    /// Total bytes ever queued and ever written: positions that stay valid after the bytes are
    /// gone.
    queued: u64,
    written: u64,
    /// The position after the last byte of a very large body. All of it is present until then.
    large_until: u64,
}

impl Outbox {
    /// An empty outbox for frames of up to `frame_bytes_max` bytes.
    pub(crate) fn new(frame_bytes_max: u32) -> Self {
        let payload = frame_bytes_max.saturating_sub(FRAME_OVERHEAD_BYTES).max(1);
        Self {
            pieces: VecDeque::new(),
            tail: BytesMut::new(),
            body_frame_bytes_max: usize::try_from(payload).unwrap_or(usize::MAX),
            queued: 0,
            written: 0,
            large_until: 0,
        }
    }

    /// Adds a method.
    pub(crate) fn method(&mut self, channel: u16, method: impl Into<Method>) {
        let before = self.tail.len();
        encode::method(&mut self.tail, channel, &method.into());
        self.count(before);
    }

    /// Adds a method with its content. `method` writes the method's ids and fields.
    pub(crate) fn content(
        &mut self,
        channel: u16,
        method: impl FnOnce(&mut Writer<'_>),
        properties: RawProperties,
        body: &Bytes,
    ) {
        let before = self.tail.len();
        encode::fields(&mut self.tail, channel, method);
        let header = ContentHeader {
            class_id: basic::CLASS_ID,
            body_size: body.len() as u64,
            properties,
        };
        encode::header(&mut self.tail, channel, &header);
        self.count(before);
        let mut rest = body.clone();
        while rest.has_remaining() {
            let size = rest.len().min(self.body_frame_bytes_max);
            self.body_frame(channel, rest.split_to(size));
        }
        if body.len() as u64 > OUTBOX_HIGH_BYTES {
            self.large_until = self.queued;
        }
    }

    /// Whether there is room for more deliveries.
    pub(crate) fn has_room(&self) -> bool {
        self.pending() < OUTBOX_HIGH_BYTES && self.written >= self.large_until
    }

    /// Adds a heartbeat.
    pub(crate) fn heartbeat(&mut self) {
        self.octets(&HEARTBEAT_FRAME);
    }

    /// Adds raw bytes.
    pub(crate) fn octets(&mut self, octets: &[u8]) {
        let before = self.tail.len();
        self.tail.extend_from_slice(octets);
        self.count(before);
    }

    /// The number of pending bytes.
    pub(crate) fn pending(&self) -> u64 {
        self.queued - self.written
    }

    /// Whether nothing is pending.
    pub(crate) fn is_empty(&self) -> bool {
        self.queued == self.written
    }

    /// The position after the last queued byte.
    pub(crate) fn queued(&self) -> u64 {
        self.queued
    }

    /// The position after the last written byte.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Fills `slices` with the next bytes to write. Returns how many slices it filled.
    pub(crate) fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let waiting = self.pieces.iter().map(|piece| &piece[..]);
        let waiting = waiting
            .chain([&self.tail[..]])
            .filter(|piece| !piece.is_empty());
        let mut filled = 0;
        for (slot, piece) in slices.iter_mut().zip(waiting) {
            *slot = IoSlice::new(piece);
            filled += 1;
        }
        filled
    }

    /// Removes `count` written bytes.
    pub(crate) fn advance(&mut self, mut count: usize) {
        self.written += count as u64;
        while let Some(piece) = self.pieces.front_mut() {
            if count < piece.len() {
                piece.advance(count);
                return;
            }
            count -= piece.len();
            self.pieces.pop_front();
        }
        self.tail.advance(count);
    }

    /// Copies slices of blocks, up to `position`, so that the blocks can be freed.
    pub(crate) fn copy_slices(&mut self, position: u64) {
        let mut end = self.written;
        for piece in &mut self.pieces {
            end += piece.len() as u64;
            if end > position {
                return;
            }
            if piece.len() <= COPIED_SLICE_BYTES_MAX {
                *piece = Bytes::copy_from_slice(piece);
            }
        }
    }

    fn body_frame(&mut self, channel: u16, payload: Bytes) {
        let before = self.tail.len();
        if payload.len() <= BODY_COPY_BYTES {
            encode::body(&mut self.tail, channel, &payload);
            self.count(before);
            return;
        }
        let size = u32::try_from(payload.len()).expect("a frame's size is a u32");
        encode::body_start(&mut self.tail, channel, size);
        self.count(before);
        self.queued += payload.len() as u64;
        self.pieces.push_back(self.tail.split().freeze());
        self.pieces.push_back(payload);
        encode::body_end(&mut self.tail);
        self.count(0);
    }

    /// Counts the bytes added to the tail since its length was `before`.
    fn count(&mut self, before: usize) {
        self.queued += (self.tail.len() - before) as u64;
    }
}

#[cfg(test)]
mod tests {
    use stele_wire_amqp::{Frame, FrameDecoder, method::channel};

    use super::*;

    fn drained(outbox: &mut Outbox, step: usize) -> Vec<u8> {
        let mut written = Vec::new();
        while !outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); 3];
            let filled = outbox.slices(&mut slices);
            let octets: Vec<u8> = slices[..filled].iter().flat_map(|s| s.to_vec()).collect();
            let count = octets.len().min(step);
            written.extend_from_slice(&octets[..count]);
            outbox.advance(count);
        }
        written
    }

    #[test]
    fn a_body_larger_than_a_frame_is_split() {
        let body = Bytes::from(vec![7; 10_000]);
        for step in [1, 1000, 1_000_000] {
            let mut outbox = Outbox::new(4096);
            outbox.content(
                1,
                |writer| basic::Get::default().encode(writer),
                RawProperties::default(),
                &body,
            );
            outbox.method(1, channel::CloseOk {});
            let mut octets = BytesMut::from(&drained(&mut outbox, step)[..]);
            let decoder = FrameDecoder::new(4096);
            let mut sizes = Vec::new();
            while let Some(frame) = decoder.decode(&mut octets).unwrap() {
                if let Frame::Body { payload, .. } = frame {
                    sizes.push(payload.len());
                }
            }
            assert_eq!(sizes, [4088, 4088, 1824]);
            assert!(octets.is_empty());
        }
    }

    #[test]
    fn a_large_body_is_not_copied() {
        let body = Bytes::from(vec![7; 50_000]);
        let mut outbox = Outbox::new(131_072);
        outbox.content(1, |_| {}, RawProperties::default(), &body);
        let mut slices = [IoSlice::new(&[]); 3];
        assert_eq!(outbox.slices(&mut slices), 3);
        assert_eq!(slices[1].as_ptr(), body.as_ptr());
        assert_eq!(
            outbox.pending(),
            slices.iter().map(|s| s.len() as u64).sum::<u64>()
        );
    }

    #[test]
    fn what_is_left_unread_is_copied_and_keeps_no_block() {
        let block = Bytes::from(vec![7; 100_000]);
        let mut outbox = Outbox::new(131_072);
        outbox.content(1, |_| {}, RawProperties::default(), &block.slice(..50_000));
        let position = outbox.queued();
        outbox.copy_slices(position - 2);
        assert!(!block.is_unique());
        outbox.copy_slices(position);
        assert!(block.is_unique());
        outbox.content(1, |_| {}, RawProperties::default(), &block.slice(..50_000));
        outbox.copy_slices(position);
        assert!(!block.is_unique());
        assert_eq!(
            drained(&mut outbox, 1_000).len(),
            2 * (8 + 8 + 14 + 8 + 50_000)
        );
    }

    #[test]
    fn an_empty_body_has_no_frame() {
        let mut outbox = Outbox::new(4096);
        outbox.content(1, |_| {}, RawProperties::default(), &Bytes::new());
        let octets = drained(&mut outbox, 100);
        assert_eq!(octets.len(), 8 + 8 + 14);
    }
}
