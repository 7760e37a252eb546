//! Writes responses in chunks with vectored writes, without joining them.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
};

use bytes::{Buf, Bytes};
use stele_core_broker::{Memory, Share};
use stele_front_accept::{COPIED_SLICE_BYTES_MAX, SLICES_COPIED_AFTER, Sending};
use stele_wire_kafka::Response;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout_at},
};

use crate::limits::{CHUNKS_PER_WRITE_MAX, UNCOUNTED_RESPONSE_SIZE_BYTES_MAX, WRITE_STALL};

/// Responses to be written.
#[derive(Debug)]
pub(crate) struct Outbox {
    chunks: VecDeque<Bytes>,
    size_bytes: usize,
    memory: Memory,
    /// The memory of the chunks.
    rooms: Vec<Share>,
}

impl Outbox {
    pub(crate) fn new(memory: Memory) -> Self {
        Self {
            chunks: VecDeque::new(),
            size_bytes: 0,
            memory,
            rooms: Vec::new(),
        }
    }

    /// Adds a response that has already reserved `room`.
    pub(crate) fn push(&mut self, response: Response, room: Share) {
        self.size_bytes += response.size_bytes();
        self.chunks.extend(response.chunks);
        if room.bytes() > 0 {
            self.rooms.push(room);
        }
        if self.size_bytes > UNCOUNTED_RESPONSE_SIZE_BYTES_MAX {
            self.count();
        }
    }

    /// Writes everything. Returns the number of bytes. Fails if the client leaves it unread for too
    /// long.
    pub(crate) async fn flush(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<u64> {
        let mut sent = 0;
        let mut sending = Sending::new();
        let copied_at = Instant::now() + SLICES_COPIED_AFTER;
        let mut are_copied = false;
        while !self.chunks.is_empty() {
            let written = if are_copied {
                self.write_or_stall(stream, &sending).await?
            } else if let Ok(written) = timeout_at(copied_at, self.write(stream)).await {
                written?
            } else {
                self.copy_slices();
                are_copied = true;
                continue;
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            sent += written as u64;
            sending.sent(written as u64);
            self.advance(written);
        }
        self.rooms.clear();
        stream.flush().await?;
        Ok(sent)
    }

    async fn write(&self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); CHUNKS_PER_WRITE_MAX];
        let count = self.chunks.len().min(CHUNKS_PER_WRITE_MAX);
        for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
            *slice = IoSlice::new(chunk);
        }
        stream.write_vectored(&slices[..count]).await
    }

    async fn write_or_stall(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
        sending: &Sending,
    ) -> io::Result<usize> {
        tokio::select! {
            biased;
            written = self.write(stream) => written,
            () = sending.stalled(&self.memory, WRITE_STALL) => Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the client doesn't read",
            )),
        }
    }

    /// Called when the client leaves the response unread: then all of it counts as memory, and
    /// slices are copied so that their blocks can be freed.
    fn copy_slices(&mut self) {
        for chunk in &mut self.chunks {
            if chunk.len() <= COPIED_SLICE_BYTES_MAX {
                *chunk = Bytes::copy_from_slice(chunk);
            }
        }
        self.count();
    }

    fn count(&mut self) {
        let counted: usize = self.rooms.iter().map(Share::bytes).sum();
        let missing = self.size_bytes.saturating_sub(counted);
        if missing > 0 {
            let kind = Memory::kind_of_response(missing);
            self.rooms.push(self.memory.note(kind, missing));
        }
    }

    fn advance(&mut self, mut written: usize) {
        self.size_bytes -= written;
        while let Some(first) = self.chunks.front_mut() {
            if written < first.len() {
                first.advance(written);
                return;
            }
            written -= first.len();
            self.chunks.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{io::AsyncReadExt, time::timeout};

    use super::*;

    fn response(chunk: Bytes) -> Response {
        Response {
            chunks: vec![chunk, Bytes::new()],
        }
    }

    fn used(memory: &Memory) -> usize {
        memory.uses().map(|it| it.used_bytes).sum()
    }

    #[tokio::test]
    async fn chunks_arrive_in_order_through_a_pipe_that_takes_few_bytes_at_once() {
        let (mut near, mut far) = tokio::io::duplex(7);
        let expected: Vec<u8> = (0..=255).collect();
        let mut outbox = Outbox::new(Memory::new(1 << 30));
        for part in expected.chunks(11) {
            outbox.push(response(Bytes::copy_from_slice(part)), Share::NONE);
        }
        let read = async {
            let mut received = vec![0; expected.len()];
            far.read_exact(&mut received).await.unwrap();
            received
        };
        let (written, received) = tokio::join!(outbox.flush(&mut near), read);
        assert_eq!(written.unwrap(), expected.len() as u64);
        assert_eq!(received, expected);
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_client_lets_wait_counts_and_holds_no_block() {
        let memory = Memory::new(1 << 30);
        let (mut near, mut far) = tokio::io::duplex(10);
        let block = Bytes::from(vec![7; 1_000]);
        let mut outbox = Outbox::new(memory.clone());
        outbox.push(response(block.slice(0..100)), Share::NONE);
        assert_eq!(used(&memory), 0);
        {
            let flush = outbox.flush(&mut near);
            assert!(timeout(SLICES_COPIED_AFTER * 2, flush).await.is_err());
        }
        assert_eq!(used(&memory), 90);
        assert!(block.is_unique());
        let read = async { far.read_exact(&mut [0; 100]).await.map(drop) };
        let (sent, read) = tokio::join!(outbox.flush(&mut near), read);
        assert_eq!((sent.unwrap(), used(&memory)), (90, 0));
        read.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_nothing_is_given_up_sooner_where_memory_is_short() {
        for (is_short, expected_s) in [(false, WRITE_STALL.as_secs()), (true, 2)] {
            let memory = Memory::new(1 << 20);
            let _others =
                is_short.then(|| memory.note(stele_core_broker::Kind::Responses, 1 << 20));
            let (mut near, _far) = tokio::io::duplex(10);
            let mut outbox = Outbox::new(memory);
            outbox.push(response(Bytes::from_static(&[0; 11])), Share::NONE);
            let begun = Instant::now();
            let flushed = outbox.flush(&mut near).await;
            assert_eq!(flushed.unwrap_err().kind(), io::ErrorKind::TimedOut);
            assert_eq!(begun.elapsed().as_secs(), expected_s);
        }
    }
}
