//! Writing responses: chunk after chunk, many with one system call, without joining them.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
};

use bytes::{Buf, Bytes};
use stele_wire_kafka::Response;
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use crate::limits::{CHUNKS_PER_WRITE_MAX, WRITE_STALL};

/// Responses to be written.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    chunks: VecDeque<Bytes>,
}

impl Outbox {
    pub(crate) fn push(&mut self, response: Response) {
        self.chunks.extend(response.chunks);
    }

    /// Writes all there is; tells how many bytes. Fails if the peer takes nothing for too long.
    pub(crate) async fn flush(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<u64> {
        let mut sent = 0;
        while !self.chunks.is_empty() {
            let written = {
                let mut slices = [IoSlice::new(&[]); CHUNKS_PER_WRITE_MAX];
                let count = self.chunks.len().min(CHUNKS_PER_WRITE_MAX);
                for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
                    *slice = IoSlice::new(chunk);
                }
                timeout(WRITE_STALL, stream.write_vectored(&slices[..count])).await??
            };
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            sent += written as u64;
            self.advance(written);
        }
        stream.flush().await?;
        Ok(sent)
    }

    fn advance(&mut self, mut written: usize) {
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
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn chunks_arrive_in_order_through_a_pipe_that_takes_few_bytes_at_once() {
        let (mut near, mut far) = tokio::io::duplex(7);
        let expected: Vec<u8> = (0..=255).collect();
        let mut outbox = Outbox::default();
        for part in expected.chunks(11) {
            outbox.push(Response {
                chunks: vec![Bytes::copy_from_slice(part), Bytes::new()],
            });
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
}
