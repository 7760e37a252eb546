//! The types of topic configurations, and the values they accept.

use crate::broker_configs::Type;

/// The type of a configuration, and the values it accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Boolean,
    Int {
        min: i64,
        max: i64,
    },
    Long {
        min: i64,
    },
    Double,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// A list with at least one of these.
    SomeOf(&'static [&'static str]),
    /// Partitions with brokers, or `*` for all.
    Replicas,
    /// Only `false`.
    False,
    /// A number from 1 to 9, or -1.
    GzipLevel,
}

impl Kind {
    pub(super) fn allows(self, value: &str) -> bool {
        match self {
            Self::Boolean => matches!(value, "true" | "false"),
            Self::Int { min, max } => value
                .parse::<i64>()
                .is_ok_and(|it| (min..=max).contains(&it)),
            Self::Long { min } => value.parse::<i64>().is_ok_and(|it| it >= min),
            Self::Double => value
                .parse::<f64>()
                .is_ok_and(|it| (0.0..=1.0).contains(&it)),
            Self::OneOf(values) => values.contains(&value),
            Self::SomeOf(values) => elements(value).all(|it| values.contains(&it)),
            Self::Replicas => value.is_empty() || value == "*" || elements(value).all(is_replica),
            Self::False => value == "false",
            Self::GzipLevel => value
                .parse::<i64>()
                .is_ok_and(|it| it == -1 || (1..=9).contains(&it)),
        }
    }

    pub(super) fn expectation(self) -> String {
        match self {
            Self::Boolean => "expected true or false".to_owned(),
            Self::Int { min, max } => format!("expected a number from {min} to {max}"),
            Self::Long { min } => format!("expected a number from {min}"),
            Self::Double => "expected a number from 0 to 1".to_owned(),
            Self::OneOf(values) | Self::SomeOf(values) => {
                format!("Stele supports {}", values.join(", "))
            }
            Self::Replicas => "expected * or partition:broker,partition:broker,...".to_owned(),
            Self::False => "there is no tiered storage".to_owned(),
            Self::GzipLevel => "expected -1 or a number from 1 to 9".to_owned(),
        }
    }

    /// The type as in DescribeConfigs.
    pub(crate) fn of_type(self) -> Type {
        match self {
            Self::Boolean | Self::False => Type::Boolean,
            Self::OneOf(_) => Type::String,
            Self::Int { .. } | Self::GzipLevel => Type::Int,
            Self::Long { .. } => Type::Long,
            Self::Double => Type::Double,
            Self::SomeOf(_) | Self::Replicas => Type::List,
        }
    }

    /// Whether elements can be appended.
    pub(crate) fn is_list(self) -> bool {
        self.of_type() == Type::List
    }
}

/// The elements of a list, split as in Kafka.
pub(crate) fn elements(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim)
}

/// Whether it is a partition with a broker.
fn is_replica(element: &str) -> bool {
    let Some((partition, broker)) = element.split_once(':') else {
        return false;
    };
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    is_number(partition) && is_number(broker)
}
