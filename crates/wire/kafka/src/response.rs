//! Encoding responses.

use bytes::{Bytes, BytesMut};
use kafka_protocol::{
    messages::ApiKey,
    protocol::{Encodable, Request},
};

use crate::{Error, RequestHeader, frame::LENGTH_SIZE_BYTES};

/// An encoded response, beginning with the length, to be written chunk by chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Never empty; stored batches are separate chunks, shared with the store.
    pub chunks: Vec<Bytes>,
}

impl Response {
    /// Size of all chunks.
    pub fn size_bytes(&self) -> usize {
        self.chunks.iter().map(Bytes::len).sum()
    }
}

/// Encodes `body` as the response to the request `R` with the header `header`, in its version.
pub fn encode<R: Request>(header: &RequestHeader, body: &R::Response) -> Result<Response, Error> {
    encode_version::<R>(header, body, header.api_version)
}

/// Encodes `body` in a `version` other than the request's: an ApiVersions request of a future
/// version is answered in version 0 (KIP-511).
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

/// A buffer with the length reserved, the header written, and room for `body_size_bytes`.
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

/// The length field of a frame of `size_bytes`, which include the field itself.
pub(crate) fn length(size_bytes: usize) -> Result<[u8; LENGTH_SIZE_BYTES], &'static str> {
    i32::try_from(size_bytes - LENGTH_SIZE_BYTES)
        .map(i32::to_be_bytes)
        .map_err(|_| "it exceeds 2 GiB")
}

fn has_tags(key: i16, version: i16) -> bool {
    ApiKey::try_from(key).is_ok_and(|key| key.response_header_version(version) >= 1)
}
