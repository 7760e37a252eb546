//! What becomes of a message that couldn't be handled.
//!
//! The policy is one value, since the order of its parts decides whether it is right: a retry
//! inside a time-out isn't a time-out inside a retry. Everything here is pure.

use std::{collections::BTreeMap, error::Error, fmt, ops::Range, sync::Arc, time::Duration};

use crate::{Cause, FailureClass, KeyOrder};

/// How a service handles messages, and what becomes of those that it can't handle.
///
/// ```
/// # use std::time::Duration;
/// # use stele_toolkit_bus::{FailureClass, Jitter, Policy};
/// let policy = Policy::attempts(3)
///     .backoff(Duration::from_millis(200)..Duration::from_secs(30), Jitter::Full)
///     .attempts_of(FailureClass::Transient, 10)
///     .reject_on::<std::num::ParseIntError>()
///     .timeout(Duration::from_secs(20));
/// ```
#[derive(Clone)]
pub struct Policy {
    attempts: u32,
    backoff: Backoff,
    by_class: BTreeMap<FailureClass, Rule>,
    classes: Vec<Classify>,
    pub(crate) timeout: Duration,
    pub(crate) makes_dead_letters: bool,
    pub(crate) concurrency: Concurrency,
}

type Classify = Arc<dyn Fn(&(dyn Error + 'static)) -> Option<FailureClass> + Send + Sync>;

#[derive(Clone, Copy, Debug, Default)]
struct Rule {
    attempts: Option<u32>,
    backoff: Option<Backoff>,
}

/// How many messages are handled at the same time, and in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Concurrency {
    /// Up to so many, of any key, in any order.
    Any(usize),
    /// Up to so many, one of each key, in order. While a message of a key waits for its retry or is
    /// dead, those behind it wait too. Messages without a key have no order.
    ByKey(usize),
}

impl Concurrency {
    /// How many messages are handled at the same time at most.
    pub const fn lanes(self) -> usize {
        match self {
            Self::Any(count) | Self::ByKey(count) => count,
        }
    }

    /// Whether messages of a key wait for each other.
    pub const fn order(self) -> KeyOrder {
        match self {
            Self::Any(_) => KeyOrder::Relaxed,
            Self::ByKey(_) => KeyOrder::Strict,
        }
    }
}

/// The time between attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The longest time before the second attempt; twice that before the third, and so on.
    pub first: Duration,
    /// The longest time before any attempt.
    pub max: Duration,
    /// How a time up to the longest is chosen.
    pub jitter: Jitter,
}

/// Whether attempts are spread in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jitter {
    /// They aren't: each comes after the longest time.
    None,
    /// Each comes after a random part of the longest time, so that messages that failed together
    /// don't come back together.
    Full,
}

impl Backoff {
    /// The time before the attempt after this one (the first is 1), chosen by a random number.
    pub fn after(&self, attempt: u32, random: u64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let longest = self.first.saturating_mul(1 << doublings).min(self.max);
        match self.jitter {
            Jitter::None => longest,
            Jitter::Full => {
                let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
                let part = (u128::from(micros) * u128::from(random)) >> u64::BITS;
                Duration::from_micros(u64::try_from(part).unwrap_or(micros))
            }
        }
    }
}

/// What becomes of a message after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Another attempt, after this time.
    Retry {
        /// The time.
        after: Duration,
    },
    /// None.
    Dead,
}

impl Policy {
    /// So many attempts at a message, the first included, and otherwise the policy of
    /// [`Policy::default`]. At least one is made.
    pub fn attempts(count: u32) -> Self {
        Self {
            attempts: count.max(1),
            ..Self::default()
        }
    }

    /// The time between attempts: up to the beginning of the range before the second, and twice
    /// that before each later one, up to its end.
    #[must_use]
    pub fn backoff(mut self, range: Range<Duration>, jitter: Jitter) -> Self {
        self.backoff = Backoff {
            first: range.start,
            max: range.end,
            jitter,
        };
        self
    }

    /// So many attempts at a message whose last failure is of this class. Rejected and unreadable
    /// messages have one, whatever is said here.
    #[must_use]
    pub fn attempts_of(mut self, class: FailureClass, count: u32) -> Self {
        self.by_class.entry(class).or_default().attempts = Some(count.max(1));
        self
    }

    /// The time between attempts after a failure of this class.
    #[must_use]
    pub fn backoff_of(
        mut self,
        class: FailureClass,
        range: Range<Duration>,
        jitter: Jitter,
    ) -> Self {
        self.by_class.entry(class).or_default().backoff = Some(Backoff {
            first: range.start,
            max: range.end,
            jitter,
        });
        self
    }

    /// Rejects a message at once if its handler returned, or wrapped, an error of this type.
    #[must_use]
    pub fn reject_on<E: Error + 'static>(self) -> Self {
        self.classify(|error| error.is::<E>().then_some(FailureClass::Rejected))
    }

    /// Sorts errors: the first function that knows an error, or what it wraps, decides its class.
    #[must_use]
    pub fn classify<F>(mut self, class_of: F) -> Self
    where
        F: Fn(&(dyn Error + 'static)) -> Option<FailureClass> + Send + Sync + 'static,
    {
        self.classes.push(Arc::new(class_of));
        self
    }

    /// How long a handler may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Messages that would become dead letters are dropped instead: counted and logged, and gone.
    #[must_use]
    pub fn without_dead_letters(mut self) -> Self {
        self.makes_dead_letters = false;
        self
    }

    /// How many messages are handled at the same time, and in which order.
    #[must_use]
    pub fn concurrency(mut self, concurrency: Concurrency) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// The longest time between two attempts.
    pub fn backoff_max(&self) -> Duration {
        let of_classes = self.by_class.values().filter_map(|rule| rule.backoff);
        let all = of_classes.chain([self.backoff]);
        all.map(|backoff| backoff.max).max().unwrap_or_default()
    }

    /// How many attempts a message has whose last failure is of this class.
    pub fn attempts_max(&self, class: FailureClass) -> u32 {
        match class {
            FailureClass::Rejected | FailureClass::Unreadable => 1,
            _ => {
                let rule = self.by_class.get(&class);
                let own = rule.and_then(|rule| rule.attempts);
                own.unwrap_or(self.attempts)
            }
        }
    }

    /// The class of an error that a handler returned: what a function of [`Policy::classify`]
    /// says, otherwise what the store says.
    pub fn class_of(
        &self,
        cause: &Cause,
        by_store: impl Fn(&(dyn Error + 'static)) -> Option<FailureClass>,
    ) -> FailureClass {
        let own = |error| self.classes.iter().find_map(|class_of| class_of(error));
        let found = cause.chain().find_map(own);
        found
            .or_else(|| cause.chain().find_map(by_store))
            .unwrap_or(FailureClass::Error)
    }

    /// What becomes of a message after so many attempts, the last of which failed in this class.
    pub fn verdict(&self, class: FailureClass, attempts: u32, random: u64) -> Verdict {
        if attempts >= self.attempts_max(class) {
            return Verdict::Dead;
        }
        let rule = self.by_class.get(&class);
        let backoff = rule.and_then(|rule| rule.backoff).unwrap_or(self.backoff);
        Verdict::Retry {
            after: backoff.after(attempts, random),
        }
    }
}

impl Default for Policy {
    /// Three attempts, up to 200 ms and then up to 400 ms apart with full jitter, 20 s each;
    /// permanent failures have one attempt. Up to 16 messages at a time, in any order.
    fn default() -> Self {
        let permanent = Rule {
            attempts: Some(1),
            backoff: None,
        };
        Self {
            attempts: 3,
            backoff: Backoff {
                first: Duration::from_millis(200),
                max: Duration::from_secs(30),
                jitter: Jitter::Full,
            },
            by_class: BTreeMap::from([(FailureClass::Permanent, permanent)]),
            classes: Vec::new(),
            timeout: Duration::from_secs(20),
            makes_dead_letters: true,
            concurrency: Concurrency::Any(16),
        }
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("attempts", &self.attempts)
            .field("backoff", &self.backoff)
            .field("by_class", &self.by_class)
            .field("classes", &self.classes.len())
            .field("timeout", &self.timeout)
            .field("makes_dead_letters", &self.makes_dead_letters)
            .field("concurrency", &self.concurrency)
            .finish()
    }
}

#[cfg(test)]
mod tests;
