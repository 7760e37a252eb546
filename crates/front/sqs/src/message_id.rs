//! Message ids and sequence numbers. Both are derived from the record's position, so they are the
//! same on every receive and need not be stored, whichever protocol the record came from. A message
//! that was moved keeps the id of its first position.

use stele_base_types::{Offset, PartitionId};

/// The id of the message at `offset`: a UUID of version 8 (RFC 9562, section 5.8), computed from
/// the log, the partition and the offset by a bijection, so that two messages of a server never
/// share an id.
pub(crate) fn message_id(partition: PartitionId, offset: Offset) -> String {
    let log_and_partition = (partition.log.0 << 20) ^ u64::from(partition.index.0);
    let high = mix(log_and_partition.wrapping_add(mix(offset.0)));
    let low = mix(offset.0.wrapping_add(mix(high)));
    let bytes = ((u128::from(high) << 64) | u128::from(low)).to_be_bytes();
    uuid::Builder::from_custom_bytes(bytes)
        .into_uuid()
        .to_string()
}

/// The sequence number of a FIFO queue's message: 20 digits, increasing within a group because a
/// group's messages are in one partition.
pub(crate) fn sequence_number(offset: Offset) -> String {
    const BASE: u64 = 10_000_000_000_000_000_000;
    BASE.saturating_add(offset.0).to_string()
}

/// A bijection that maps close numbers far apart (the finaliser of SplitMix64).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use stele_base_types::{LogId, PartitionIndex};

    use super::*;

    #[test]
    fn close_places_have_ids_of_their_own() {
        let mut seen = HashSet::new();
        for log in 0..20 {
            for index in 0..5 {
                for offset in 0..200 {
                    let partition = PartitionId::new(LogId(log), PartitionIndex(index));
                    assert!(seen.insert(message_id(partition, Offset(offset))));
                }
            }
        }
    }

    #[test]
    fn an_id_is_a_uuid_of_version_8() {
        let id = message_id(PartitionId::default(), Offset::ZERO);
        let uuid = uuid::Uuid::parse_str(&id).unwrap();
        assert_eq!(uuid.get_version_num(), 8);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
    }

    #[test]
    fn sequence_numbers_have_20_digits_and_grow() {
        let (first, second) = (sequence_number(Offset(9)), sequence_number(Offset(10)));
        assert_eq!(first.len(), 20);
        assert!(first < second);
    }
}
