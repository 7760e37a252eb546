//! Reads from a socket into a growing buffer.

use std::{future::poll_fn, io, pin::pin};

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Reads once, into at least `room_min` bytes of free space; if there is less, allocates `room`.
/// Returns 0 at the end of the stream. While there is nothing to read, an empty buffer has no
/// allocation, because most connections are idle most of the time. Cancel-safe.
pub async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    into: &mut BytesMut,
    room_min: usize,
    room: usize,
) -> io::Result<usize> {
    poll_fn(|context| {
        if into.capacity() - into.len() < room_min {
            into.reserve(room);
        }
        let read = pin!(stream.read_buf(into)).poll(context);
        if read.is_pending() && into.is_empty() {
            *into = BytesMut::new();
        }
        read
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use tokio::io::{AsyncWriteExt as _, duplex};

    use super::*;

    #[tokio::test]
    async fn an_idle_connection_has_no_buffer() {
        let (mut near, mut far) = duplex(64);
        let mut buffer = BytesMut::with_capacity(1_000);
        {
            let mut reading = pin!(read(&mut near, &mut buffer, 1_000, 1_000));
            let context = &mut Context::from_waker(Waker::noop());
            assert!(reading.as_mut().poll(context).is_pending());
        }
        assert_eq!(buffer.capacity(), 0);
        far.write_all(b"hello").await.unwrap();
        assert_eq!(read(&mut near, &mut buffer, 1_000, 1_000).await.unwrap(), 5);
        assert_eq!(&buffer[..], b"hello");
    }

    #[tokio::test]
    async fn what_has_come_stays_while_more_is_waited_for() {
        let (mut near, _far) = duplex(64);
        let mut buffer = BytesMut::from(&b"hel"[..]);
        {
            let mut reading = pin!(read(&mut near, &mut buffer, 1_000, 1_000));
            let context = &mut Context::from_waker(Waker::noop());
            assert!(reading.as_mut().poll(context).is_pending());
        }
        assert_eq!(&buffer[..], b"hel");
    }
}
