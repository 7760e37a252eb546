use proptest::prelude::*;

use super::*;
use crate::{ContentHeader, Method, RawProperties, method::connection, method::tx};

fn decode_all(input: &[u8], frame_bytes_max: u32) -> Result<Vec<Frame>, FrameError> {
    let decoder = FrameDecoder::new(frame_bytes_max);
    let mut input = BytesMut::from(input);
    let mut frames = Vec::new();
    while let Some(frame) = decoder.decode(&mut input)? {
        frames.push(frame);
    }
    Ok(frames)
}

fn body_frame(size: usize) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode::body(&mut out, 1, &vec![7; size]);
    out.to_vec()
}

#[test]
fn a_heartbeat_is_eight_octets() {
    assert_eq!(HEARTBEAT_FRAME, *b"\x08\x00\x00\x00\x00\x00\x00\xce");
    assert_eq!(
        decode_all(&HEARTBEAT_FRAME, 4096),
        Ok(vec![Frame::Heartbeat { channel: 0 }])
    );
}

#[test]
fn a_method_frame_has_these_octets() {
    let mut out = BytesMut::new();
    encode::method(&mut out, 0x0102, &tx::Select {}.into());
    assert_eq!(
        &out[..],
        b"\x01\x01\x02\x00\x00\x00\x04\x00\x5a\x00\x0a\xce"
    );
}

#[test]
fn a_frame_waits_for_its_last_octet() {
    let frame = body_frame(10);
    for length in 0..frame.len() {
        assert_eq!(decode_all(&frame[..length], 4096), Ok(Vec::new()));
    }
    assert_eq!(decode_all(&frame, 4096).map(|frames| frames.len()), Ok(1));
}

#[test]
fn a_payload_is_a_slice_of_the_input() {
    let mut input = BytesMut::from(&body_frame(100)[..]);
    let address = input.as_ptr() as usize + FRAME_HEADER_BYTES;
    let frame = FrameDecoder::new(4096).decode(&mut input);
    let Ok(Some(Frame::Body { payload, .. })) = frame else {
        panic!("no body: {frame:?}");
    };
    assert_eq!(payload.as_ptr() as usize, address);
}

#[test]
fn a_payload_may_exceed_the_limit_by_the_overhead_alone() {
    assert!(decode_all(&body_frame(4096), 4096).is_ok());
    let error = FrameError::TooLarge {
        kind: 3,
        channel: 1,
        size_bytes: 4097,
        size_bytes_max: 4088,
    };
    assert_eq!(decode_all(&body_frame(4097), 4096), Err(error));
}

#[test]
fn an_oversized_frame_is_refused_by_its_header_alone() {
    let header = b"\x03\x00\x01\xff\xff\xff\xff";
    assert!(matches!(
        decode_all(header, 131_072),
        Err(FrameError::TooLarge { .. })
    ));
}

#[test]
fn an_unknown_type_is_refused_by_its_header_alone() {
    let error = FrameError::UnknownType {
        kind: b'G',
        channel: 0x4554,
    };
    assert_eq!(decode_all(b"GET / H", 4096), Err(error));
}

#[test]
fn a_wrong_end_octet_is_refused() {
    let mut frame = body_frame(3);
    *frame.last_mut().unwrap() = 0xCD;
    let error = FrameError::End {
        kind: 3,
        channel: 1,
        found: 0xCD,
    };
    assert_eq!(decode_all(&frame, 4096), Err(error));
}

#[test]
fn another_implementation_reads_our_frames() {
    use amq_protocol::frame::{AMQPFrame, parse_frame};
    let mut out = BytesMut::new();
    let tune = connection::Tune {
        channel_max: 2047,
        frame_max: 131_072,
        heartbeat: 60,
    };
    encode::method(&mut out, 0, &Method::from(tune));
    let header = ContentHeader {
        class_id: 60,
        body_size: 3,
        properties: RawProperties {
            flags: 1 << 12,
            list: Bytes::from_static(&[2]),
        },
    };
    encode::header(&mut out, 1, &header);
    encode::body(&mut out, 1, b"abc");
    out.extend_from_slice(&HEARTBEAT_FRAME);
    let (rest, method) = parse_frame(&out[..]).unwrap();
    assert!(matches!(method, AMQPFrame::Method(0, _)), "{method:?}");
    let (rest, header) = parse_frame(rest).unwrap();
    let AMQPFrame::Header(1, header) = header else {
        panic!("no header: {header:?}");
    };
    assert_eq!(header.body_size, 3);
    assert_eq!(header.properties.delivery_mode(), &Some(2));
    let (rest, body) = parse_frame(rest).unwrap();
    assert_eq!(body, AMQPFrame::Body(1, b"abc".to_vec()));
    let (rest, heartbeat) = parse_frame(rest).unwrap();
    assert!(matches!(heartbeat, AMQPFrame::Heartbeat), "{heartbeat:?}");
    assert!(rest.is_empty());
}

proptest! {
    #[test]
    fn frames_survive_any_split_of_the_stream(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut stream = BytesMut::new();
        for payload in &payloads {
            encode::body(&mut stream, 3, payload);
        }
        let cut = cut.index(stream.len());
        let decoder = FrameDecoder::new(4096);
        let mut input = BytesMut::new();
        let mut decoded = Vec::new();
        for part in [&stream[..cut], &stream[cut..]] {
            input.extend_from_slice(part);
            while let Some(frame) = decoder.decode(&mut input).unwrap() {
                let Frame::Body { payload, .. } = frame else { panic!("{frame:?}") };
                decoded.push(payload.to_vec());
            }
        }
        prop_assert_eq!(decoded, payloads);
        prop_assert!(input.is_empty());
    }

    #[test]
    fn no_stream_panics(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(frames) = decode_all(&octets, 4096) {
            for frame in frames {
                match frame {
                    Frame::Method { payload, .. } => { let _ = Method::decode(payload); }
                    Frame::Header { payload, .. } => { let _ = ContentHeader::decode(payload); }
                    Frame::Body { .. } | Frame::Heartbeat { .. } => {}
                }
            }
        }
    }
}
