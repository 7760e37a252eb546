//! Reading data of older versions.
//!
//! ```text
//! steps from    1.0        1.2               2.0
//!                │  ──▶     │  ──▶            │  ──▶   the type's version
//! data of       1.0   1.1  1.2    1.3, 1.4   2.0
//! ```
//!
//! A step turns data of its version into data of the next step's version, the last one into data of
//! the type's version. Data of 1.1 begin at the step from 1.2: within a major version, a change
//! without a step is one that needs none. Data of 1.4, newer than the last step of their major
//! version, begin there too, since newer minor versions are read as they are.

use serde_json::Value;

use crate::Version;

/// A step from an older version of a type's data to the next.
#[derive(Clone, Copy, Debug)]
pub struct Upcast {
    /// The version that it reads.
    pub from: Version,
    /// Turns data of that version into data of the next one.
    pub with: fn(Value) -> Result<Value, UpcastError>,
}

/// Data of an older version can't be turned into data of the current one. They are a dead letter
/// until a program that can is deployed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpcastError {
    /// No step reads this major version.
    #[error("nothing leads from version {from} to {to}")]
    NoStep {
        /// The data's version.
        from: Version,
        /// The type's version.
        to: Version,
    },
    /// A step refused the data.
    #[error("{0}")]
    Refused(String),
}

impl From<&str> for UpcastError {
    fn from(reason: &str) -> Self {
        Self::Refused(reason.to_owned())
    }
}

impl From<String> for UpcastError {
    fn from(reason: String) -> Self {
        Self::Refused(reason)
    }
}

impl From<serde_json::Error> for UpcastError {
    fn from(error: serde_json::Error) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Turns data of version `from` into data of version `to` by `steps`, which are ordered.
pub(crate) fn along(
    steps: &[Upcast],
    from: Version,
    to: Version,
    data: Value,
) -> Result<Value, UpcastError> {
    let first = first(steps, from, to)?;
    let mut steps = steps.iter().skip(first);
    steps.try_fold(data, |data, step| (step.with)(data))
}

/// The index of the first step for data of version `from`; the number of steps if they need none.
pub(crate) fn first(steps: &[Upcast], from: Version, to: Version) -> Result<usize, UpcastError> {
    let of_major = |step: &Upcast| step.from.major == from.major;
    let next = steps
        .iter()
        .position(|step| of_major(step) && step.from >= from);
    match next {
        Some(next) => Ok(next),
        None if from.major >= to.major => Ok(steps.len()),
        None => steps
            .iter()
            .rposition(of_major)
            .ok_or(UpcastError::NoStep { from, to }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps to 3.1. None reads 2.0.
    const STEPS: &[Upcast] = &[
        step(Version::new(1, 0), |data| noted(data, "1.0")),
        step(Version::new(1, 2), |data| noted(data, "1.2")),
        step(Version::new(3, 0), |data| noted(data, "3.0")),
    ];

    const fn step(from: Version, with: fn(Value) -> Result<Value, UpcastError>) -> Upcast {
        Upcast { from, with }
    }

    fn noted(mut data: Value, step: &str) -> Result<Value, UpcastError> {
        let steps = data.as_array_mut().ok_or("not an array")?;
        steps.push(step.into());
        Ok(data)
    }

    #[track_caller]
    fn taken(from: Version) -> Value {
        along(STEPS, from, Version::new(3, 1), Value::Array(Vec::new())).expect("steps")
    }

    #[test]
    fn steps_begin_at_the_first_that_is_not_older() {
        assert_eq!(
            taken(Version::new(1, 0)),
            serde_json::json!(["1.0", "1.2", "3.0"])
        );
        assert_eq!(taken(Version::new(1, 1)), serde_json::json!(["1.2", "3.0"]));
        assert_eq!(taken(Version::new(3, 0)), serde_json::json!(["3.0"]));
    }

    #[test]
    fn a_newer_minor_version_of_an_older_major_one_takes_its_last_step() {
        assert_eq!(taken(Version::new(1, 7)), serde_json::json!(["1.2", "3.0"]));
    }

    #[test]
    fn the_own_version_and_newer_minor_ones_take_none() {
        assert_eq!(taken(Version::new(3, 1)), serde_json::json!([]));
        assert_eq!(taken(Version::new(3, 9)), serde_json::json!([]));
    }

    #[test]
    fn a_major_version_without_steps_and_a_refusing_step_are_errors() {
        let (from, to) = (Version::new(2, 5), Version::new(3, 1));
        let none = along(STEPS, from, to, Value::Array(Vec::new()));
        assert_eq!(none, Err(UpcastError::NoStep { from, to }));
        let refused = along(STEPS, Version::new(1, 0), to, Value::Null);
        assert_eq!(refused, Err("not an array".into()));
    }
}
