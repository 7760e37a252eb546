//! What the engine needs to know of a batch's records: a run-length encoded column for each field.
//!
//! ```text
//!  record     0   1   2   3   4   5
//!  group      a   a   a   b   b   -      (3, a) (2, b)
//!  delay      -   -   -   -   5s  5s     (4, -) (2, 5s)
//! ```
//!
//! Most batches have no such fields: they have no columns and cost nothing.

use smallvec::SmallVec;
use stele_base_types::Timestamp;

use crate::stored::stored_fields;

/// What the engine needs to know of one record; each field may be absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Schedule {
    /// The hash of the record's key, by which Kafka's clients choose a partition
    /// ([`stele_base_types::murmur2`]). If the publisher names no partition, the engine puts
    /// records with the same key into the same one. Not stored with a batch, since the partition
    /// is.
    pub key: Option<u32>,
    /// The delay from now, in milliseconds; `None` for the queue's own delay.
    pub delay_ms: Option<u64>,
    /// A stable hash of the message group (FIFO queues). Without it, records with the same key form
    /// a group.
    pub group: Option<u64>,
    /// A stable hash of the deduplication id (FIFO queues).
    pub deduplication: Option<u128>,
    /// The record's priority, by which a log that hands out by priority chooses its partition: none
    /// is 0, and one above the highest is the highest. Not stored with a batch, like the key.
    pub priority: Option<u8>,
    /// How long the record lives, in milliseconds; `None` if only the queue limits that.
    pub expiry_ms: Option<u64>,
    /// The size of the body. Only stored with a batch for logs that limit the size of what is
    /// ready; there, a record without it has an equal part of its batch.
    pub body_bytes: Option<u32>,
    /// When a record that is moved is to be ready, instead of a delay. The move may take a while,
    /// and the delay is what is left when the other log gets the record.
    pub due: Option<Timestamp>,
}

stored_fields! {
    Schedule {
        Key key: Option<u32>,
        DelayMs delay_ms: Option<u64>,
        Group group: Option<u64>,
        Deduplication deduplication: Option<u128>,
        Priority priority: Option<u8>,
        ExpiryMs expiry_ms: Option<u64>,
        BodyBytes body_bytes: Option<u32>,
        Due due: Option<Timestamp>,
    }
}

impl Schedule {
    /// With a delay instead of the time when the record is due.
    pub(crate) fn at(self, now: Timestamp) -> Self {
        let left_ms = self.due.map(|due| due.since_ms(now));
        Self {
            delay_ms: left_ms.or(self.delay_ms),
            due: None,
            ..self
        }
    }
}

/// The [`Schedule`]s of a batch's records, as columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Columns(Option<Box<Fields>>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields {
    pub(crate) key: Column<u32>,
    pub(crate) delay_ms: Column<u64>,
    pub(crate) group: Column<u64>,
    pub(crate) deduplication: Column<u128>,
    pub(crate) priority: Column<u8>,
    pub(crate) expiry_ms: Column<u64>,
    pub(crate) body_bytes: Column<u32>,
    pub(crate) is_control: bool,
}

/// The values of one field, record by record, each with the number of records that share it.
/// Records after the last run have none.
pub(crate) type Column<T> = SmallVec<[(u32, Option<T>); 1]>;

/// Consecutive records of a batch that ledgers treat the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) count: u32,
    pub(crate) delay_ms: Option<u64>,
    pub(crate) group: Option<u64>,
    pub(crate) expiry_ms: Option<u64>,
}

impl Columns {
    /// For records with these schedules, in their order.
    pub fn of(schedules: impl IntoIterator<Item = Schedule>) -> Self {
        let mut fields = Fields::default();
        for schedule in schedules {
            push(&mut fields.key, schedule.key);
            push(&mut fields.delay_ms, schedule.delay_ms);
            push(&mut fields.group, schedule.group);
            push(&mut fields.deduplication, schedule.deduplication);
            push(&mut fields.priority, schedule.priority);
            push(&mut fields.expiry_ms, schedule.expiry_ms);
            push(&mut fields.body_bytes, schedule.body_bytes);
        }
        drop_nothing(&mut fields.key);
        drop_nothing(&mut fields.delay_ms);
        drop_nothing(&mut fields.group);
        drop_nothing(&mut fields.deduplication);
        drop_nothing(&mut fields.priority);
        drop_nothing(&mut fields.expiry_ms);
        drop_nothing(&mut fields.body_bytes);
        fields.into()
    }

    /// For a control batch (Kafka's transaction markers): none of its records is a message, and no
    /// ledger hands them out.
    pub fn of_control() -> Self {
        Self::from(Fields {
            is_control: true,
            ..Fields::default()
        })
    }

    /// Whether none of the records is a message.
    pub fn is_control(&self) -> bool {
        self.fields().is_some_and(|fields| fields.is_control)
    }

    /// The schedule of each of a batch's `count` records.
    pub fn schedules(&self, count: u32) -> impl Iterator<Item = Schedule> + use<'_> {
        let fields = self.fields();
        let mut keys = values(fields.map(|fields| &fields.key));
        let mut delays = values(fields.map(|fields| &fields.delay_ms));
        let mut groups = values(fields.map(|fields| &fields.group));
        let mut ids = values(fields.map(|fields| &fields.deduplication));
        let mut priorities = self.priorities();
        let mut expiries = values(fields.map(|fields| &fields.expiry_ms));
        let mut sizes = values(fields.map(|fields| &fields.body_bytes));
        (0..count).map(move |_| Schedule {
            key: keys.next().flatten(),
            delay_ms: delays.next().flatten(),
            group: groups.next().flatten(),
            deduplication: ids.next().flatten(),
            priority: priorities.next().flatten(),
            expiry_ms: expiries.next().flatten(),
            body_bytes: sizes.next().flatten(),
            due: None,
        })
    }

    /// The same with records' keys as their groups, where they have none.
    pub(crate) fn grouped_by_key(&self) -> Self {
        let mut grouped = self.clone();
        if let Some(fields) = &mut grouped.0 {
            let count = length(&fields.key).max(length(&fields.group));
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            let mut groups = Column::new();
            for schedule in self.schedules(count) {
                push(&mut groups, schedule.group.or(schedule.key.map(u64::from)));
            }
            drop_nothing(&mut groups);
            fields.group = groups;
        }
        grouped
    }

    /// Sets the sizes of the records' bodies, in their order.
    pub fn set_body_bytes(&mut self, sizes: impl IntoIterator<Item = u32>) {
        let mut column = Column::new();
        sizes
            .into_iter()
            .for_each(|bytes| push(&mut column, Some(bytes)));
        let fields = self.0.take().map_or_else(Fields::default, |fields| *fields);
        *self = Self::from(Fields {
            body_bytes: column,
            ..fields
        });
    }

    /// Whether the size of a record's body is known.
    pub fn has_body_bytes(&self) -> bool {
        self.fields()
            .is_some_and(|fields| !fields.body_bytes.is_empty())
    }

    /// The same without the sizes of bodies, for logs that don't need them.
    pub(crate) fn without_body_bytes(self) -> Self {
        match self.0 {
            Some(fields) if !fields.body_bytes.is_empty() => Self::from(Fields {
                body_bytes: Column::new(),
                ..*fields
            }),
            fields => Self(fields),
        }
    }

    /// The sizes of the bodies of the batch's `count` records, as runs of records of the same size.
    /// `unknown` is the size of those that have none.
    pub(crate) fn body_bytes(
        &self,
        count: u32,
        unknown: u32,
    ) -> impl Iterator<Item = (u32, u32)> + use<'_> {
        let mut sizes = Cursor::new(self.fields().map(|fields| &fields.body_bytes));
        let mut left = count;
        std::iter::from_fn(move || {
            let count = left.min(sizes.left);
            left -= count;
            (count > 0).then(|| (count, sizes.take(count).unwrap_or(unknown)))
        })
    }

    pub(crate) fn fields(&self) -> Option<&Fields> {
        self.0.as_deref()
    }

    /// Whether a column covers more records than the batch has.
    pub(crate) fn exceed(&self, count: u32) -> bool {
        self.fields().is_some_and(|fields| {
            length(&fields.key) > u64::from(count)
                || length(&fields.delay_ms) > u64::from(count)
                || length(&fields.group) > u64::from(count)
                || length(&fields.deduplication) > u64::from(count)
                || length(&fields.priority) > u64::from(count)
                || length(&fields.expiry_ms) > u64::from(count)
                || length(&fields.body_bytes) > u64::from(count)
        })
    }

    /// The keys of the leading records, up to the last one that has one.
    pub(crate) fn keys(&self) -> impl Iterator<Item = Option<u32>> + use<'_> {
        values(self.fields().map(|fields| &fields.key))
    }

    /// The priorities of the leading records, up to the last one that has one.
    pub(crate) fn priorities(&self) -> impl Iterator<Item = Option<u8>> + use<'_> {
        values(self.fields().map(|fields| &fields.priority))
    }

    /// The deduplication ids of the leading records, up to the last one that has one.
    pub(crate) fn deduplication(&self) -> impl Iterator<Item = Option<u128>> + use<'_> {
        values(self.fields().map(|fields| &fields.deduplication))
    }

    /// The batch's `count` records, in pieces as ledgers add them.
    pub(crate) fn pieces(&self, count: u32) -> impl Iterator<Item = Piece> + use<'_> {
        let fields = self.fields();
        let mut delays = Cursor::new(fields.map(|fields| &fields.delay_ms));
        let mut groups = Cursor::new(fields.map(|fields| &fields.group));
        let mut expiries = Cursor::new(fields.map(|fields| &fields.expiry_ms));
        let mut left = count;
        std::iter::from_fn(move || {
            let count = left.min(delays.left).min(groups.left).min(expiries.left);
            let piece = Piece {
                count,
                delay_ms: delays.take(count),
                group: groups.take(count),
                expiry_ms: expiries.take(count),
            };
            left -= count;
            (count > 0).then_some(piece)
        })
    }
}

impl From<Fields> for Columns {
    fn from(fields: Fields) -> Self {
        let is_empty = fields == Fields::default();
        Self((!is_empty).then(|| Box::new(fields)))
    }
}

/// Adds the next record's value.
fn push<T: Copy + Eq>(column: &mut Column<T>, value: Option<T>) {
    match column.last_mut() {
        Some((count, last)) if *last == value => *count += 1,
        _ => column.push((1, value)),
    }
}

/// Removes a trailing run without a value.
fn drop_nothing<T>(column: &mut Column<T>) {
    if matches!(column.last(), Some((_, None))) {
        column.pop();
    }
}

fn length<T>(column: &Column<T>) -> u64 {
    column.iter().map(|(count, _)| u64::from(*count)).sum()
}

fn values<T: Copy>(column: Option<&Column<T>>) -> impl Iterator<Item = Option<T>> + use<'_, T> {
    let runs = column.into_iter().flatten();
    runs.flat_map(|(count, value)| std::iter::repeat_n(*value, *count as usize))
}

/// A position in a column.
struct Cursor<'a, T> {
    runs: std::slice::Iter<'a, (u32, Option<T>)>,
    value: Option<T>,
    /// How many records from here on have the same value.
    left: u32,
}

impl<'a, T: Copy> Cursor<'a, T> {
    fn new(column: Option<&'a Column<T>>) -> Self {
        let runs = column.map_or([].iter(), |column| column.iter());
        let mut cursor = Self {
            runs,
            value: None,
            left: 0,
        };
        cursor.take(0);
        cursor
    }

    /// The value shared by the next `count` records; moves past them.
    fn take(&mut self, count: u32) -> Option<T> {
        let value = self.value;
        self.left -= count;
        while self.left == 0 {
            (self.left, self.value) = self.runs.next().copied().unwrap_or((u32::MAX, None));
        }
        value
    }
}
