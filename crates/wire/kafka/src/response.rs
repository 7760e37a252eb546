//! Encoding responses.

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::ApiKey,
    protocol::{Encodable, Request},
};

use crate::{Error, RequestHeader, frame::LENGTH_SIZE_BYTES};

/// An encoded response, length first, to be written chunk after chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Never empty; stored batches are chunks of their own, shared with the store.
    pub chunks: Vec<Bytes>,
}

impl Response {
    /// Size of all chunks.
    pub fn size_bytes(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }
}

/// Encodes `body` as the answer to the request `R` whose header is `header`, in its version.
pub fn encode<R: Request>(header: &RequestHeader, body: &R::Response) -> Result<Response, Error> {
    encode_version::<R>(header, body, header.api_version)
}

/// Encodes `body` in `version`, where that isn't the request's: the answer to an ApiVersions
/// request of a version yet to be invented is of version 0 (KIP-511).
pub fn encode_version<R: Request>(
    header: &RequestHeader,
    body: &R::Response,
    version: i16,
) -> Result<Response, Error> {
    let unencodable = |error: &dyn std::fmt::Display| Error::Unencodable {
        key: R::KEY,
        version,
        reason: error.to_string(),
    };
    let size_bytes = body.compute_size(version).map_err(|it| unencodable(&it))?;
    let mut buffer = start(R::KEY, version, header.correlation_id, size_bytes);
    body.encode(&mut buffer, version)
        .map_err(|it| unencodable(&it))?;
    let length = length(buffer.len()).map_err(|it| unencodable(&it))?;
    buffer[..LENGTH_SIZE_BYTES].copy_from_slice(&length);
    Ok(Response {
        chunks: vec![buffer.freeze()],
    })
}

/// A buffer with room for the length, the header in it, and `body_size_bytes` to come.
pub(crate) fn start(
    key: i16,
    version: i16,
    correlation_id: i32,
    body_size_bytes: usize,
) -> BytesMut {
    const HEADER_SIZE_BYTES_MAX: usize = 5;
    let mut buffer =
        BytesMut::with_capacity(LENGTH_SIZE_BYTES + HEADER_SIZE_BYTES_MAX + body_size_bytes);
    buffer.extend_from_slice(&[0; LENGTH_SIZE_BYTES]);
    buffer.extend_from_slice(&correlation_id.to_be_bytes());
    if has_tags(key, version) {
        buffer.extend_from_slice(&[0]);
    }
    buffer
}

/// The length of a frame of `size_bytes`, its length included.
pub(crate) fn length(size_bytes: usize) -> Result<[u8; LENGTH_SIZE_BYTES], &'static str> {
    i32::try_from(size_bytes - LENGTH_SIZE_BYTES)
        .map(i32::to_be_bytes)
        .map_err(|_| "it exceeds 2 GiB")
}

fn has_tags(key: i16, version: i16) -> bool {
    ApiKey::try_from(key).is_ok_and(|key| key.response_header_version(version) >= 1)
}
