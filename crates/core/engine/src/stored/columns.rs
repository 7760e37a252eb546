//! The stored form of a batch's columns.
//!
//! ```text
//!  0                      no columns
//!  1  schedule            of one record: no longer written, but still read
//!  2  fields              a list of columns, each with its number
//! ```
//!
//! New fields are added at the end of their enum. A field is never removed, and its meaning never
//! changes.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    Columns, Schedule,
    log::{Column, Fields},
};

#[derive(Deserialize)]
enum Stored {
    Nothing,
    OfOneRecord(OneRecord),
    Fields(Vec<Field>),
}

#[derive(Deserialize)]
struct OneRecord {
    delay_ms: Option<u64>,
    group: Option<u64>,
    deduplication: Option<u128>,
}

#[derive(Deserialize)]
enum Field {
    DelayMs(Column<u64>),
    Group(Column<u64>),
    Deduplication(Column<u128>),
    Control,
    ExpiryMs(Column<u64>),
    BodyBytes(Column<u32>),
}

/// The same, written without a copy. The numbers are those of [`Stored`] and [`Field`].
#[derive(Serialize)]
enum StoredRef<'a> {
    Nothing,
    #[expect(dead_code, reason = "it is no longer written, but keeps its number")]
    OfOneRecord,
    Fields(Vec<FieldRef<'a>>),
}

#[derive(Serialize)]
enum FieldRef<'a> {
    DelayMs(&'a Column<u64>),
    Group(&'a Column<u64>),
    Deduplication(&'a Column<u128>),
    Control,
    ExpiryMs(&'a Column<u64>),
    BodyBytes(&'a Column<u32>),
}

impl Serialize for Columns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut columns = Vec::new();
        if let Some(fields) = self.fields() {
            let Fields {
                key: _,
                priority: _,
                delay_ms,
                group,
                deduplication,
                expiry_ms,
                body_bytes,
                is_control,
            } = fields;
            let given = [
                (!delay_ms.is_empty()).then_some(FieldRef::DelayMs(delay_ms)),
                (!group.is_empty()).then_some(FieldRef::Group(group)),
                (!deduplication.is_empty()).then_some(FieldRef::Deduplication(deduplication)),
                is_control.then_some(FieldRef::Control),
                (!expiry_ms.is_empty()).then_some(FieldRef::ExpiryMs(expiry_ms)),
                (!body_bytes.is_empty()).then_some(FieldRef::BodyBytes(body_bytes)),
            ];
            columns.extend(given.into_iter().flatten());
        }
        let stored = if columns.is_empty() {
            StoredRef::Nothing
        } else {
            StoredRef::Fields(columns)
        };
        stored.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Stored::deserialize(deserializer)? {
            Stored::Nothing => Self::default(),
            Stored::OfOneRecord(record) => Self::of([Schedule {
                delay_ms: record.delay_ms,
                group: record.group,
                deduplication: record.deduplication,
                ..Schedule::default()
            }]),
            Stored::Fields(columns) => {
                let mut fields = Fields::default();
                for column in columns {
                    match column {
                        Field::DelayMs(column) => fields.delay_ms = column,
                        Field::Group(column) => fields.group = column,
                        Field::Deduplication(column) => fields.deduplication = column,
                        Field::Control => fields.is_control = true,
                        Field::ExpiryMs(column) => fields.expiry_ms = column,
                        Field::BodyBytes(column) => fields.body_bytes = column,
                    }
                }
                fields.into()
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Columns {
        postcard::from_bytes(bytes).expect("it decodes")
    }

    fn written(columns: &Columns) -> Vec<u8> {
        postcard::to_stdvec(columns).expect("it encodes")
    }

    #[test]
    fn columns_come_back_but_for_those_that_chose_the_partition() {
        let first = Schedule {
            key: Some(7),
            delay_ms: Some(5),
            group: Some(9),
            deduplication: Some(1),
            priority: Some(2),
            expiry_ms: Some(3),
            body_bytes: Some(4),
            due: None,
        };
        let second = Schedule {
            deduplication: Some(2),
            delay_ms: None,
            ..first
        };
        let columns = Columns::of([first, second, Schedule::default()]);
        let stored = read(&written(&columns));
        let kept = |schedule| Schedule {
            key: None,
            priority: None,
            ..schedule
        };
        let expected = [
            kept(first),
            kept(second),
            Schedule::default(),
            Schedule::default(),
        ];
        assert_eq!(stored.schedules(4).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_control_batch_stays_one() {
        assert!(read(&written(&Columns::of_control())).is_control());
        assert!(!read(&[0]).is_control());
    }

    #[test]
    fn what_is_not_given_takes_one_byte() {
        let key = Schedule {
            key: Some(7),
            ..Schedule::default()
        };
        assert_eq!(written(&Columns::default()), [0]);
        assert_eq!(written(&Columns::of([key])), [0]);
        assert_eq!(read(&[0]), Columns::default());
    }

    #[test]
    fn the_schedule_of_one_record_is_read_as_it_was_written_before() {
        let schedule = Some((Some(5_u64), None::<u64>, Some(3_u128)));
        let bytes = postcard::to_stdvec(&schedule).expect("it encodes");
        let expected = Columns::of([Schedule {
            delay_ms: Some(5),
            deduplication: Some(3),
            ..Schedule::default()
        }]);
        assert_eq!(read(&bytes), expected);
    }
}
