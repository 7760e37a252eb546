//! Client input from the protocol header on, split at every position that the first octet selects:
//! nothing panics, and what can be decoded can be encoded and decoded again.

#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use stele_wire_amqp::{
    ContentHeader, Frame, FrameDecoder, Method, ProtocolHeader, Writer, limits::FRAME_MIN_BYTES,
};

fuzz_target!(|stream: &[u8]| {
    let Some((&cut, stream)) = stream.split_first() else {
        return;
    };
    let (first, second) = stream.split_at(usize::from(cut).min(stream.len()));
    let mut input = BytesMut::from(first);
    if let Some(ProtocolHeader::Foreign(_) | ProtocolHeader::OtherVersion(_)) =
        ProtocolHeader::decode(&mut input)
    {
        return;
    }
    let decoder = FrameDecoder::new(FRAME_MIN_BYTES);
    for part in [&[][..], second] {
        input.extend_from_slice(part);
        while let Ok(Some(frame)) = decoder.decode(&mut input) {
            look_into(frame);
        }
    }
});

fn look_into(frame: Frame) {
    match frame {
        Frame::Method { payload, .. } => method(payload),
        Frame::Header { payload, .. } => header(payload),
        Frame::Body { .. } | Frame::Heartbeat { .. } => {}
    }
}

fn method(payload: Bytes) {
    let Ok(method) = Method::decode(payload) else {
        return;
    };
    let mut out = BytesMut::new();
    method.encode(&mut Writer::new(&mut out));
    // Octets are compared instead of values: a NaN in a table isn't equal to itself.
    let again = Method::decode(out.clone().freeze()).expect("what we wrote decodes");
    let mut out_again = BytesMut::new();
    again.encode(&mut Writer::new(&mut out_again));
    assert_eq!(out, out_again);
}

fn header(payload: Bytes) {
    let Ok(header) = ContentHeader::decode(payload) else {
        return;
    };
    let Ok(properties) = header.properties.parse() else {
        return;
    };
    if let Some(headers) = &properties.headers {
        let _ = headers.decode();
    }
    assert_eq!(properties.encode(), header.properties);
}
