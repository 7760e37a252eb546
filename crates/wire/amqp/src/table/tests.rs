use bytes::BytesMut;
use proptest::prelude::*;

use super::*;
use crate::{ReadError, Reader, Writer, limits::NESTING_MAX};

fn encoded(table: &Table) -> Bytes {
    let mut out = BytesMut::new();
    table.encode(&mut Writer::new(&mut out));
    out.freeze()
}

fn decoded(octets: &[u8]) -> Result<Table, ReadError> {
    let mut reader = Reader::new(Bytes::copy_from_slice(octets));
    let table = Table::decode(&mut reader)?;
    reader.finish()?;
    Ok(table)
}

/// Tables nested `depth` levels deep.
fn nested(depth: usize) -> Table {
    (0..depth).fold(Table::new(), |inner, _| {
        Table::new().with("t", Value::Table(inner))
    })
}

#[test]
fn each_field_type_has_the_octets_of_the_errata() {
    let cases: [(Value, &[u8]); 17] = [
        (Value::Bool(true), b"t\x01"),
        (Value::Int8(-1), b"b\xff"),
        (Value::UInt8(255), b"B\xff"),
        (Value::Int16(-2), b"s\xff\xfe"),
        (Value::UInt16(2), b"u\x00\x02"),
        (Value::Int32(-3), b"I\xff\xff\xff\xfd"),
        (Value::UInt32(3), b"i\x00\x00\x00\x03"),
        (Value::Int64(-4), b"l\xff\xff\xff\xff\xff\xff\xff\xfc"),
        (Value::Float(1.0), b"f\x3f\x80\x00\x00"),
        (Value::Double(1.0), b"d\x3f\xf0\x00\x00\x00\x00\x00\x00"),
        (
            Value::Decimal {
                scale: 2,
                unscaled: 314,
            },
            b"D\x02\x00\x00\x01\x3a",
        ),
        (Value::text("hi"), b"S\x00\x00\x00\x02hi"),
        (
            Value::Array(vec![Value::Void, Value::Bool(false)]),
            b"A\x00\x00\x00\x03Vt\x00",
        ),
        (Value::Timestamp(1), b"T\x00\x00\x00\x00\x00\x00\x00\x01"),
        (
            Value::Table(Table::new().with("a", Value::Void)),
            b"F\x00\x00\x00\x03\x01aV",
        ),
        (Value::Void, b"V"),
        (
            Value::ByteArray(Bytes::from_static(b"\0")),
            b"x\x00\x00\x00\x01\0",
        ),
    ];
    for (value, octets) in cases {
        let table = Table::new().with("k", value);
        let mut expected = u32::try_from(octets.len() + 2)
            .unwrap()
            .to_be_bytes()
            .to_vec();
        expected.extend_from_slice(b"\x01k");
        expected.extend_from_slice(octets);
        assert_eq!(encoded(&table), expected, "{table:?}");
        assert_eq!(decoded(&expected), Ok(table));
    }
}

#[test]
fn a_capital_l_is_read_as_a_signed_64_bit_integer() {
    let octets = b"\x00\x00\x00\x0b\x01kL\x00\x00\x00\x00\x00\x00\x00\x07";
    assert_eq!(decoded(octets), Ok(Table::new().with("k", Value::Int64(7))));
}

#[test]
fn an_unknown_type_is_an_error() {
    assert_eq!(
        decoded(b"\x00\x00\x00\x03\x01k?"),
        Err(ReadError::FieldType(b'?'))
    );
}

#[test]
fn nesting_ends_at_the_limit() {
    assert!(decoded(&encoded(&nested(NESTING_MAX))).is_ok());
    assert_eq!(
        decoded(&encoded(&nested(NESTING_MAX + 1))),
        Err(ReadError::Nesting)
    );
}

#[test]
fn arrays_count_as_nesting_too() {
    let mut items = Bytes::new();
    for _ in 0..20_000 {
        let mut out = BytesMut::new();
        let mut writer = Writer::new(&mut out);
        writer.u8(b'A');
        writer.long_string(&items[..items.len().min(100_000)]);
        items = out.freeze();
    }
    let mut out = BytesMut::new();
    let mut writer = Writer::new(&mut out);
    writer.counted(|writer| {
        writer.short_octets(&ShortOctets::from_static("a"));
        writer.raw(&items);
    });
    assert!(decoded(&out).is_err());
}

#[test]
fn an_inner_length_beyond_its_table_is_an_error() {
    let octets = b"\x00\x00\x00\x08\x01kS\x00\x00\x00\xffx\x01k";
    assert!(matches!(
        decoded(octets),
        Err(ReadError::Truncated { needed: 255, .. } | ReadError::Trailing(_))
    ));
}

#[test]
fn the_first_value_of_a_name_is_found() {
    let table = Table::new()
        .with("k", Value::Int32(1))
        .with("k", Value::Int32(2));
    assert_eq!(table.find("k").and_then(Value::as_integer), Some(1));
    assert_eq!(table.len(), 2);
    assert!(table.without("k").is_empty());
}

fn value() -> impl Strategy<Value = Value> {
    let octets = || prop::collection::vec(any::<u8>(), 0..20).prop_map(Bytes::from);
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i8>().prop_map(Value::Int8),
        any::<u8>().prop_map(Value::UInt8),
        any::<i16>().prop_map(Value::Int16),
        any::<u16>().prop_map(Value::UInt16),
        any::<i32>().prop_map(Value::Int32),
        any::<u32>().prop_map(Value::UInt32),
        any::<i64>().prop_map(Value::Int64),
        (-1e30f32..1e30).prop_map(Value::Float),
        (-1e300f64..1e300).prop_map(Value::Double),
        (any::<u8>(), any::<u32>())
            .prop_map(|(scale, unscaled)| Value::Decimal { scale, unscaled }),
        octets().prop_map(Value::LongString),
        octets().prop_map(Value::ByteArray),
        any::<u64>().prop_map(Value::Timestamp),
        Just(Value::Void),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((name(), inner), 0..4)
                .prop_map(|entries| Value::Table(entries.into_iter().collect())),
        ]
    })
}

fn name() -> impl Strategy<Value = ShortOctets> {
    prop::collection::vec(any::<u8>(), 0..8)
        .prop_map(|octets| ShortOctets::from_bytes(octets.into()).unwrap())
}

proptest! {
    #[test]
    fn a_table_that_was_written_reads_back(
        entries in prop::collection::vec((name(), value()), 0..6)
    ) {
        let table: Table = entries.into_iter().collect();
        prop_assert_eq!(decoded(&encoded(&table)), Ok(table.clone()));
        prop_assert_eq!(EncodedTable::from(&table).decode(), Ok(table));
    }

    #[test]
    fn no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decoded(&octets);
    }

    #[test]
    fn no_change_of_one_octet_panics(
        entries in prop::collection::vec((name(), value()), 0..6),
        at in any::<prop::sample::Index>(),
        octet in any::<u8>(),
    ) {
        let mut octets = encoded(&entries.into_iter().collect()).to_vec();
        let at = at.index(octets.len());
        octets[at] = octet;
        let _ = decoded(&octets);
    }
}
