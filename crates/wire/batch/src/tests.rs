use std::io::Write;

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use stele_base_types::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

use crate::*;

const LIMIT_BYTES: usize = 1 << 20;

/// A batch from Apache Kafka's KRaft metadata log: one record, no key, leader epoch 1.
const WRITTEN_BY_KAFKA: [u8; 91] = [
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, // base offset
    0x00, 0x00, 0x00, 0x4f, // length
    0x00, 0x00, 0x00, 0x01, // leader epoch
    0x02, // magic
    0xb0, 0x69, 0x45, 0x7c, // checksum
    0x00, 0x00, // attributes
    0x00, 0x00, 0x00, 0x00, // last offset delta
    0x00, 0x00, 0x01, 0x91, 0xe0, 0x5a, 0xf8, 0x18, // base timestamp
    0x00, 0x00, 0x01, 0x91, 0xe0, 0x5a, 0xf8, 0x18, // max timestamp
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, // producer id
    0xff, 0xff, // producer epoch
    0xff, 0xff, 0xff, 0xff, // base sequence
    0x00, 0x00, 0x00, 0x01, // count
    0x3a, 0x00, 0x00, 0x00, 0x01,
    0x2e, // length 29, attributes, deltas, null key, value of 23
    0x01, 0x0c, 0x00, 0x11, b'm', b'e', b't', b'a', b'd', b'a', b't', b'a', b'.', b'v', b'e', b'r',
    b's', b'i', b'o', b'n', 0x00, 0x14, 0x00, 0x00, // the value, and no headers
];

fn record(value: &[u8]) -> NewRecord<'_> {
    NewRecord {
        timestamp: Timestamp(1_000),
        key: None,
        value: Body::Whole(value),
        headers: &[],
    }
}

fn batch_of(values: &[&[u8]]) -> Batch {
    let mut builder = BatchBuilder::new();
    for value in values {
        builder.push(&record(value)).unwrap();
    }
    builder.finish()
}

fn read(batch: &Batch) -> Result<Vec<Record>, Error> {
    batch.records(LIMIT_BYTES)?.collect()
}

/// `batch` with its records replaced by `block`, compressed by `bits`.
fn compressed(batch: &Batch, bits: u8, block: &[u8]) -> Batch {
    let mut bytes = batch.bytes()[..HEADER_SIZE_BYTES].to_vec();
    bytes.extend_from_slice(block);
    let length = (bytes.len() - 12) as i32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[22] |= bits;
    Batch::new(Bytes::from(resealed(bytes))).unwrap()
}

fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn snappy_raw(plain: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(plain).unwrap()
}

fn snappy_xerial(plain: &[u8]) -> Vec<u8> {
    let mut stream = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for chunk in plain.chunks(100) {
        let raw = snappy_raw(chunk);
        stream.extend_from_slice(&(raw.len() as u32).to_be_bytes());
        stream.extend_from_slice(&raw);
    }
    stream
}

fn lz4(plain: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zstd_frame(plain: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(plain, 3).unwrap()
}

type Compress = fn(&[u8]) -> Vec<u8>;
const COMPRESSIONS: [(u8, Compress); 5] = [
    (1, gzip),
    (2, snappy_raw),
    (2, snappy_xerial),
    (3, lz4),
    (4, zstd_frame),
];

#[test]
fn a_batch_written_by_kafka_is_read_field_by_field() {
    let batch = Batch::new(Bytes::from_static(&WRITTEN_BY_KAFKA)).unwrap();
    batch.validate(LIMIT_BYTES).unwrap();
    let header = batch.header();
    assert_eq!(header.size_bytes(), 91);
    assert_eq!(header.base_offset(), Offset(0));
    assert_eq!(header.leader_epoch(), 1);
    assert_eq!(header.checksum(), 0xb069_457c);
    assert_eq!(header.compression(), Compression::None);
    assert!(!header.is_log_append_time() && !header.is_transactional() && !header.is_control());
    assert_eq!(header.last_offset(), Offset(0));
    assert_eq!(header.base_timestamp(), Timestamp(0x0191_e05a_f818));
    assert_eq!(header.max_timestamp(), header.base_timestamp());
    assert_eq!(header.producer(), None);
    assert_eq!(header.record_count(), 1);
    let records = read(&batch).unwrap();
    assert_eq!(records.len(), 1);
    assert_eq!(records[0].key, None);
    assert_eq!(records[0].timestamp, header.base_timestamp());
    assert_eq!(records[0].value.as_deref(), Some(&WRITTEN_BY_KAFKA[67..90]));
    assert!(records[0].headers.is_empty());
}

#[test]
fn the_builder_writes_what_kafka_writes() {
    let built = BatchBuilder::single(&NewRecord {
        timestamp: Timestamp(0x0191_e05a_f818),
        ..record(&WRITTEN_BY_KAFKA[67..90])
    })
    .unwrap()
    .placed_at(Offset(0), 1);
    assert_eq!(&built.bytes()[..], &WRITTEN_BY_KAFKA[..]);
}

#[test]
fn a_single_record_takes_exactly_what_it_needs() {
    let parts = [Bytes::from_static(b"one "), Bytes::from_static(b"two")];
    let new = NewRecord {
        key: Some(b"k"),
        value: Body::Parts(&parts),
        headers: &[RecordHeader::new("name", b"value")],
        ..record(b"")
    };
    let batch = BatchBuilder::single(&new).unwrap();
    let mut builder = BatchBuilder::new();
    builder.push(&new).unwrap();
    assert_eq!(batch, builder.finish());
    let records = read(&batch).unwrap();
    assert_eq!(records[0].value.as_deref(), Some(&b"one two"[..]));
}

#[test]
fn placing_a_batch_leaves_its_checksum_right() {
    let batch = batch_of(&[b"a", b"b"]).placed_at(Offset(1 << 40), 7);
    batch.validate(LIMIT_BYTES).unwrap();
    assert_eq!(batch.header().base_offset(), Offset(1 << 40));
    assert_eq!(batch.header().next_offset(), Offset((1 << 40) + 2));
    assert_eq!(batch.header().leader_epoch(), 7);
    let offsets: Vec<_> = read(&batch).unwrap().iter().map(|it| it.offset).collect();
    assert_eq!(offsets, [Offset(1 << 40), Offset((1 << 40) + 1)]);
}

#[test]
fn a_prefix_replaces_the_start_of_a_shared_batch() {
    let batch = batch_of(&[b"a"]);
    let mut bytes = prefix(&batch.header(), Offset(9), 3).to_vec();
    bytes.extend_from_slice(&batch.bytes()[PREFIX_SIZE_BYTES..]);
    assert_eq!(bytes, batch.placed_at(Offset(9), 3).into_bytes());
}

#[test]
fn placing_a_batch_that_nobody_shares_copies_nothing() {
    let batch = batch_of(&[b"a"]);
    let before = batch.bytes().as_ptr();
    assert_eq!(batch.placed_at(Offset(5), 0).bytes().as_ptr(), before);
}

#[test]
fn uncompressed_parts_are_slices_of_the_batch() {
    let batch = batch_of(&[b"body"]);
    let records = read(&batch).unwrap();
    let range = batch.bytes().as_ptr_range();
    assert!(range.contains(&records[0].value.as_ref().unwrap().as_ptr()));
}

#[test]
fn producer_and_flags_are_kept() {
    let producer = Producer {
        id: ProducerId(42),
        epoch: ProducerEpoch(3),
        base_sequence: Sequence(17),
    };
    let mut builder = BatchBuilder::default()
        .producer(producer)
        .transactional()
        .control();
    builder.push(&record(b"x")).unwrap();
    let batch = builder.finish();
    assert_eq!(batch.header().producer(), Some(producer));
    assert!(batch.header().is_transactional() && batch.header().is_control());
}

#[test]
fn null_and_empty_stay_apart() {
    let new = NewRecord {
        key: Some(b""),
        value: Body::Null,
        headers: &[
            RecordHeader {
                key: b"null",
                value: None,
            },
            RecordHeader::new("empty", b""),
            RecordHeader::new("twice", b"1"),
            RecordHeader::new("twice", b"2"),
        ],
        ..record(b"")
    };
    let records = read(&BatchBuilder::single(&new).unwrap()).unwrap();
    assert_eq!(records[0].key.as_deref(), Some(&b""[..]));
    assert_eq!(records[0].value, None);
    let headers = &records[0].headers;
    assert_eq!(headers.len(), 4);
    assert_eq!(headers.iter().next().unwrap().value, None);
    assert_eq!(headers.last("empty"), Some(&b""[..]));
    assert_eq!(headers.share(headers.last("twice").unwrap()), "2");
}

#[test]
fn records_before_the_wanted_offset_are_skipped() {
    let batch = batch_of(&[b"a", b"b", b"c"]).placed_at(Offset(10), 0);
    for (wanted, found) in [(0, Some(10)), (11, Some(11)), (12, Some(12)), (13, None)] {
        let mut records = batch.records(LIMIT_BYTES).unwrap();
        records.skip_to(Offset(wanted)).unwrap();
        let next = records.next().map(|it| it.unwrap().offset);
        assert_eq!(next, found.map(Offset));
    }
}

#[test]
fn every_compression_is_opened() {
    let body = "the same words again and again ".repeat(20);
    let plain = batch_of(&[body.as_bytes(), b"second"]);
    for (bits, compress) in COMPRESSIONS {
        let batch = compressed(&plain, bits, &compress(&plain.bytes()[HEADER_SIZE_BYTES..]));
        batch.validate(LIMIT_BYTES).unwrap();
        assert_eq!(read(&batch), read(&plain), "compression {bits}");
    }
}

#[test]
fn a_decompression_bomb_stops_at_the_limit() {
    let zeros = vec![0; 10 * LIMIT_BYTES];
    for (bits, compress) in COMPRESSIONS {
        let batch = compressed(&batch_of(&[b"x"]), bits, &compress(&zeros));
        let refused = batch.records(LIMIT_BYTES).unwrap_err();
        assert_eq!(
            refused,
            Error::DecompressedTooLarge {
                limit_bytes: LIMIT_BYTES
            }
        );
    }
}

#[test]
fn a_check_opens_no_more_than_the_limit() {
    let plain = batch_of(&[&vec![0; 10 * LIMIT_BYTES]]);
    for (bits, compress) in COMPRESSIONS {
        let batch = compressed(&plain, bits, &compress(&plain.bytes()[HEADER_SIZE_BYTES..]));
        let limit_bytes = LIMIT_BYTES;
        assert_eq!(
            batch.validate(LIMIT_BYTES).unwrap_err(),
            Error::DecompressedTooLarge { limit_bytes }
        );
        batch.validate(11 * LIMIT_BYTES).unwrap();
    }
}

/// A batch of records with these timestamps, its header's latest one replaced, in each compression
/// and uncompressed.
fn dated(times: &[i64], max_timestamp: i64) -> Vec<Batch> {
    let mut builder = BatchBuilder::new();
    for time in times {
        let new = NewRecord {
            timestamp: Timestamp(*time),
            ..record(b"value")
        };
        builder.push(&new).unwrap();
    }
    let mut bytes = builder.finish().into_bytes().to_vec();
    bytes[35..43].copy_from_slice(&max_timestamp.to_be_bytes());
    let plain = Batch::new(Bytes::from(resealed(bytes))).unwrap();
    let body = plain.bytes().slice(HEADER_SIZE_BYTES..);
    let compressed =
        COMPRESSIONS.map(|(bits, compress)| compressed(&plain, bits, &compress(&body)));
    [plain].into_iter().chain(compressed).collect()
}

#[test]
fn the_times_of_records_are_theirs_whatever_their_header_says() {
    for claimed in [i64::MIN, -1, 0, 1_500, i64::MAX] {
        for batch in dated(&[2_000, 1_000, 3_000, -1], claimed) {
            let times = batch.validate(LIMIT_BYTES).unwrap();
            let expected = Times {
                earliest: Timestamp(1_000),
                latest: Timestamp(3_000),
            };
            assert_eq!(times, Some(expected));
            let batch = batch.with_max_timestamp(Times::max_timestamp(times));
            assert_eq!(batch.header().max_timestamp(), Timestamp(3_000));
            assert_eq!(batch.validate(LIMIT_BYTES), Ok(times));
        }
    }
}

#[test]
fn records_without_times_have_no_latest() {
    for batch in dated(&[-1, -1], 7) {
        let times = batch.validate(LIMIT_BYTES).unwrap();
        assert_eq!(times, None);
        assert_eq!(Times::max_timestamp(times), Timestamp(-1));
    }
}

#[test]
fn a_batch_with_the_right_latest_time_stays_where_it_is() {
    for batch in dated(&[1_000, 2_000], 2_000) {
        let place = batch.bytes().as_ptr();
        let batch = batch.with_max_timestamp(Timestamp(2_000));
        assert_eq!(batch.bytes().as_ptr(), place);
    }
}

#[test]
fn compressed_records_are_checked_one_by_one() {
    let plain = batch_of(&[b"a", b"b"]);
    let body = &plain.bytes()[HEADER_SIZE_BYTES..];
    let gap = batch_of(&[b"a", b"b", b"c"]);
    let gap = &gap.bytes()[HEADER_SIZE_BYTES + body.len() / 2..];
    for (bits, compress) in COMPRESSIONS {
        let fault = |block: &[u8]| match compressed(&plain, bits, &compress(block))
            .validate(LIMIT_BYTES)
            .unwrap_err()
        {
            Error::Record { index, fault } => (index, fault),
            other => panic!("{other}"),
        };
        assert_eq!(fault(gap), (0, RecordFault::OffsetDelta(1)));
        assert_eq!(fault(&body[..body.len() - 1]), (1, RecordFault::Truncated));
        assert_eq!(fault(&body[..body.len() / 2]), (1, RecordFault::Truncated));
        let longer = [body, b"z"].concat();
        assert_eq!(fault(&longer), (2, RecordFault::BytesAfterLast(1)));
    }
}

#[test]
fn a_snappy_block_that_claims_gigabytes_is_refused_unopened() {
    let claims_four_gigabytes = [0xff, 0xff, 0xff, 0xff, 0x0f, 0x00];
    let batch = compressed(&batch_of(&[b"x"]), 2, &claims_four_gigabytes);
    assert!(batch.records(LIMIT_BYTES).is_err());
}

#[test]
fn log_append_time_is_the_time_of_every_record() {
    let mut bytes = batch_of(&[b"a", b"b"]).bytes().to_vec();
    bytes[22] |= 1 << 3;
    bytes[35..43].copy_from_slice(&77i64.to_be_bytes());
    let records = read(&Batch::new(Bytes::from(bytes)).unwrap()).unwrap();
    assert!(records.iter().all(|it| it.timestamp == Timestamp(77)));
}

#[test]
fn batches_of_a_blob_are_its_slices() {
    let (one, two) = (batch_of(&[b"a"]), batch_of(&[b"b", b"c"]));
    let mut blob = BytesMut::from(&one.bytes()[..]);
    blob.extend_from_slice(two.bytes());
    let blob = blob.freeze();
    let split: Vec<_> = Batches::new(blob.clone()).map(Result::unwrap).collect();
    assert_eq!(split, [one, two]);
    assert_eq!(split[0].bytes().as_ptr(), blob.as_ptr());
}

#[test]
fn a_cut_batch_says_what_it_needs() {
    let whole = batch_of(&[b"abc"]).into_bytes();
    let needed_bytes = whole.len();
    let mut cut = Batches::new(whole.slice(..needed_bytes - 1));
    let expected = Error::Truncated {
        needed_bytes,
        available_bytes: needed_bytes - 1,
    };
    assert_eq!(cut.next(), Some(Err(expected)));
    assert_eq!(cut.next(), None);
    let header_cut = Batch::new(whole.slice(..20)).unwrap_err();
    assert_eq!(
        header_cut,
        Error::Truncated {
            needed_bytes: 61,
            available_bytes: 20
        }
    );
}

/// `WRITTEN_BY_KAFKA` with `bytes` written at `start`.
fn patched(start: usize, bytes: &[u8]) -> Vec<u8> {
    let mut batch = WRITTEN_BY_KAFKA.to_vec();
    batch[start..start + bytes.len()].copy_from_slice(bytes);
    batch
}

fn refusal(bytes: Vec<u8>) -> Error {
    let batch = Batch::new(Bytes::from(bytes));
    batch.and_then(|it| it.validate(LIMIT_BYTES)).unwrap_err()
}

#[test]
fn a_damaged_header_is_refused_by_name() {
    assert_eq!(refusal(patched(16, &[1])), Error::Magic(1));
    assert_eq!(refusal(patched(8, &[0, 0, 0, 48])), Error::Length(48));
    assert_eq!(refusal(patched(8, &[0xff; 4])), Error::Length(-1));
    assert_eq!(refusal(patched(0, &[0xff; 8])), Error::BaseOffset(-1));
    assert_eq!(refusal(patched(8, &[0, 0, 0, 0x4e])), Error::Trailing(1));
    assert_eq!(refusal(patched(22, &[5])), Error::CompressionUnknown(5));
    let count = |count, last_offset_delta| Error::Count {
        count,
        last_offset_delta,
    };
    assert_eq!(refusal(patched(57, &[0, 0, 0, 2])), count(2, 0));
    assert_eq!(refusal(patched(57, &[0xff; 4])), count(-1, 0));
    assert_eq!(refusal(resealed(patched(57, &[0; 4]))), count(0, 0));
    assert_eq!(refusal(resealed(patched(26, &[5]))), count(1, 5));
    assert!(matches!(refusal(patched(70, &[9])), Error::Checksum { .. }));
}

#[test]
fn a_damaged_record_is_refused_by_name() {
    let fault = |start, bytes: &[u8]| match refusal(resealed(patched(start, bytes))) {
        Error::Record { fault, .. } => fault,
        other => panic!("{other}"),
    };
    assert_eq!(fault(61, &[0x3c]), RecordFault::Truncated);
    assert_eq!(fault(61, &[0x01]), RecordFault::Length(-1));
    assert_eq!(fault(64, &[0x02]), RecordFault::OffsetDelta(1));
    assert_eq!(fault(65, &[0x03]), RecordFault::Length(-2));
    assert_eq!(fault(66, &[0x2c]), RecordFault::Trailing(1));
    assert_eq!(fault(90, &[0x02]), RecordFault::HeaderCount(1));
    assert_eq!(fault(90, &[0x01]), RecordFault::HeaderCount(-1));
    let mut trailing = WRITTEN_BY_KAFKA.to_vec();
    trailing[11] += 1;
    trailing.push(0);
    assert_eq!(
        refusal(resealed(trailing)),
        Error::Record {
            index: 1,
            fault: RecordFault::BytesAfterLast(1)
        }
    );
}

#[derive(Clone, Debug)]
struct Parts {
    timestamp: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: Vec<(String, Option<Vec<u8>>)>,
}

fn parts() -> impl Strategy<Value = Parts> {
    let bytes = || proptest::option::of(proptest::collection::vec(any::<u8>(), 0..200));
    let headers = proptest::collection::vec(("[a-z]{0,8}", bytes()), 0..4);
    (any::<i64>(), bytes(), bytes(), headers).prop_map(|(timestamp, key, value, headers)| Parts {
        timestamp,
        key,
        value,
        headers,
    })
}

fn push(builder: &mut BatchBuilder, parts: &Parts) {
    let headers: Vec<_> = parts
        .headers
        .iter()
        .map(|(key, value)| RecordHeader {
            key: key.as_bytes(),
            value: value.as_deref(),
        })
        .collect();
    let new = NewRecord {
        timestamp: Timestamp(parts.timestamp),
        key: parts.key.as_deref(),
        value: parts.value.as_deref().map_or(Body::Null, Body::Whole),
        headers: &headers,
    };
    builder.push(&new).unwrap();
}

fn parts_of(record: &Record) -> Parts {
    let header = |it: RecordHeader<'_>| {
        let key = String::from_utf8(it.key.to_vec()).unwrap();
        (key, it.value.map(<[u8]>::to_vec))
    };
    Parts {
        timestamp: record.timestamp.0,
        key: record.key.as_deref().map(<[u8]>::to_vec),
        value: record.value.as_deref().map(<[u8]>::to_vec),
        headers: record.headers.iter().map(header).collect(),
    }
}

/// Reads everything that can be read; only a panic fails.
fn touch_all(bytes: Vec<u8>) {
    for batch in Batches::new(Bytes::from(bytes)).flatten() {
        let _ = batch.validate(LIMIT_BYTES);
        let header = batch.header();
        let _ = (
            header.is_dense(),
            header.next_offset(),
            header.producer(),
            header.checksum(),
        );
        let Ok(mut records) = batch.records(LIMIT_BYTES) else {
            continue;
        };
        let _ = records.clone().skip_to(Offset(3));
        while let Some(Ok(record)) = records.next() {
            record.headers.iter().for_each(drop);
        }
    }
}

proptest! {
    #[test]
    fn what_is_built_is_read(all in proptest::collection::vec(parts(), 1..20)) {
        let mut builder = BatchBuilder::new();
        all.iter().for_each(|it| push(&mut builder, it));
        let batch = builder.finish();
        batch.validate(LIMIT_BYTES).unwrap();
        let header = batch.header();
        prop_assert_eq!(header.record_count() as usize, all.len());
        let latest = all.iter().map(|it| it.timestamp).max();
        prop_assert_eq!(Some(header.max_timestamp().0), latest);
        let back: Vec<_> = read(&batch).unwrap().iter().map(parts_of).collect();
        prop_assert_eq!(format!("{back:?}"), format!("{all:?}"));
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        touch_all(bytes.clone());
        // Most random bytes fail at the magic; these get further.
        let mut with_magic = WRITTEN_BY_KAFKA[..27].to_vec();
        with_magic.extend(bytes);
        touch_all(with_magic);
    }

    #[test]
    fn mutated_batches_never_panic(
        all in proptest::collection::vec(parts(), 1..5),
        compression in 0..=COMPRESSIONS.len(),
        mutations in proptest::collection::vec(
            (any::<proptest::sample::Index>(), any::<u8>()),
            1..6,
        ),
    ) {
        let mut builder = BatchBuilder::new();
        all.iter().for_each(|it| push(&mut builder, it));
        let mut batch = builder.finish();
        if let Some((bits, compress)) = COMPRESSIONS.get(compression) {
            batch = compressed(&batch, *bits, &compress(&batch.bytes()[HEADER_SIZE_BYTES..]));
        }
        let mut bytes = batch.into_bytes().to_vec();
        for (index, byte) in mutations {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        touch_all(resealed(bytes.clone()));
        touch_all(bytes);
    }
}
