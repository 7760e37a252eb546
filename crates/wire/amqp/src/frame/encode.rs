//! Writing frames.
//!
//! A message is written as a method frame, a header frame and as many body frames as it needs.
//! Bodies aren't copied: [`body_start`] and [`body_end`] surround a slice that the caller writes
//! directly.

use bytes::{BufMut, BytesMut};

use super::{FRAME_END, FRAME_HEADER_BYTES, TYPE_BODY, TYPE_HEADER, TYPE_METHOD};
use crate::{ContentHeader, Method, Writer};

/// Appends a method frame.
pub fn method(out: &mut BytesMut, channel: u16, method: &Method) {
    fields(out, channel, |writer| method.encode(writer));
}

/// Appends a method frame whose ids and fields `write` writes: for frequent methods, to avoid
/// building a [`Method`] first.
pub fn fields(out: &mut BytesMut, channel: u16, write: impl FnOnce(&mut Writer<'_>)) {
    framed(out, TYPE_METHOD, channel, write);
}

/// Appends a header frame.
pub fn header(out: &mut BytesMut, channel: u16, header: &ContentHeader) {
    framed(out, TYPE_HEADER, channel, |writer| header.encode(writer));
}

/// Appends what precedes `size_bytes` octets of a body.
pub fn body_start(out: &mut BytesMut, channel: u16, size_bytes: u32) {
    out.put_u8(TYPE_BODY);
    out.put_u16(channel);
    out.put_u32(size_bytes);
}

/// Appends what follows them.
pub fn body_end(out: &mut BytesMut) {
    out.put_u8(FRAME_END);
}

/// Appends a body frame, copying `payload`.
pub fn body(out: &mut BytesMut, channel: u16, payload: &[u8]) {
    framed(out, TYPE_BODY, channel, |writer| writer.raw(payload));
}

fn framed(out: &mut BytesMut, kind: u8, channel: u16, write: impl FnOnce(&mut Writer<'_>)) {
    out.put_u8(kind);
    out.put_u16(channel);
    out.put_u32(0);
    let start = out.len();
    write(&mut Writer::new(out));
    let size = u32::try_from(out.len() - start).expect("no frame holds 4 GiB");
    out[start - FRAME_HEADER_BYTES + 3..start].copy_from_slice(&size.to_be_bytes());
    out.put_u8(FRAME_END);
}
