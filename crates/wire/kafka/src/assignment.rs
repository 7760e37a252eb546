//! The assignment that a consumer group's leader makes for a member
//! (`ConsumerProtocolAssignment.json`): opaque to Kafka's requests, but all consumers use the same
//! format.

use crate::{Error, reader::Reader};

/// The partitions of an assignment, by topic. The rest of the assignment is private to the
/// assignor.
pub fn assigned_partitions(assignment: &[u8]) -> Result<Vec<(&str, Vec<i32>)>, Error> {
    let mut reader = Reader::new(assignment);
    let _version = reader.int16()?;
    let mut topics = Vec::new();
    for _ in 0..reader.int32()? {
        let length = reader.int16()?;
        let length = reader.length(i64::from(length))?.unwrap_or(0);
        let name = std::str::from_utf8(reader.take(length)?);
        let name = name.map_err(|_| Error::Malformed("a topic's name isn't UTF-8".to_owned()))?;
        let mut partitions = Vec::new();
        for _ in 0..reader.int32()? {
            partitions.push(reader.int32()?);
        }
        topics.push((name, partitions));
    }
    Ok(topics)
}

#[cfg(test)]
mod tests {
    use kafka_protocol::messages::consumer_protocol_assignment::{
        ConsumerProtocolAssignment, TopicPartition,
    };
    use kafka_protocol::protocol::{Encodable as _, StrBytes};

    use super::*;

    fn encoded() -> Vec<u8> {
        let topic = |name: &'static str, partitions: &[i32]| {
            TopicPartition::default()
                .with_topic(StrBytes::from_static_str(name).into())
                .with_partitions(partitions.to_vec())
        };
        let assignment = ConsumerProtocolAssignment::default()
            .with_assigned_partitions(vec![topic("a", &[0, 3]), topic("b", &[])])
            .with_user_data(Some(bytes::Bytes::from_static(b"own")));
        let mut encoded = 3i16.to_be_bytes().to_vec();
        assignment.encode(&mut encoded, 3).unwrap();
        encoded
    }

    #[test]
    fn partitions_are_read_by_topic() {
        let encoded = encoded();
        let read = assigned_partitions(&encoded).unwrap();
        assert_eq!(read, [("a", vec![0, 3]), ("b", vec![])]);
    }

    #[test]
    fn what_ends_early_or_claims_too_much_is_refused() {
        let encoded = encoded();
        let partitions = encoded.len() - 4 - b"own".len();
        for end in 0..partitions {
            assert!(assigned_partitions(&encoded[..end]).is_err(), "{end}");
        }
        let claims = [0, 1, 0x7f, 0xff, 0xff, 0xff, 0, 1, b'a'];
        assert!(assigned_partitions(&claims).is_err());
    }
}
