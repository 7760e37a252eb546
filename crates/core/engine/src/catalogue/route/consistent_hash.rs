//! The consistent-hash exchange (`x-consistent-hash`, RabbitMQ's plugin): messages with the same
//! hash have the same target, and each target gets messages in proportion to its weight.
//!
//! ```text
//!  message ─► hash ─┬─ with target a ─► u in (0, 1] ─► -ln(u) / weight of a ─┐
//!                   ├─ with target b ─►                                      ├─ the least one
//!                   └─ …                                                     ┘
//! ```
//!
//! This is weighted rendezvous hashing. The choice depends only on the bindings, whatever their
//! order; a new target takes messages from the others in proportion and moves none between them,
//! and a removed one leaves its own to them. Nothing is kept but the weights, however large.
//!
//! A target's weight is the sum of its binding keys. The message's hash is that of its first
//! routing key, or of the header or property that the exchange's arguments name; messages without
//! it have the same target.

use stele_base_types::murmur2;

use crate::{Argument, Arguments, BindingTarget, catalogue::Headers};

/// The exchange argument that names the header to hash.
pub const HASH_HEADER: &str = "hash-header";

/// The exchange argument that names the property to hash.
pub const HASH_PROPERTY: &str = "hash-property";

/// Targets with their weights.
#[derive(Clone, Debug)]
pub(in crate::catalogue) struct ConsistentHashIndex {
    hashed: Hashed,
    /// Sorted by target.
    targets: Vec<Weighed>,
}

/// What of a message is hashed.
#[derive(Clone, Debug)]
enum Hashed {
    Key,
    Header(Box<str>),
    Property(Box<str>),
}

#[derive(Clone, Debug)]
struct Weighed {
    target: BindingTarget,
    /// Distinguishes the target, and is stored nowhere.
    seed: u64,
    /// The sum of any number of 64-bit keys.
    weight: u128,
}

impl ConsistentHashIndex {
    pub(in crate::catalogue) fn new(arguments: &Arguments) -> Self {
        let text = |name| match arguments.get(name)? {
            Argument::Text(text) => Some(Box::from(&*String::from_utf8_lossy(text))),
            _ => None,
        };
        let header = text(HASH_HEADER).map(Hashed::Header);
        let property = || text(HASH_PROPERTY).map(Hashed::Property);
        Self {
            hashed: header.or_else(property).unwrap_or(Hashed::Key),
            targets: Vec::new(),
        }
    }

    pub(in crate::catalogue) fn insert(&mut self, key: &str, target: &BindingTarget) {
        let found = self.find(target);
        if let Err(at) = found {
            let weighed = Weighed {
                target: target.clone(),
                seed: seed(target),
                weight: 0,
            };
            self.targets.insert(at, weighed);
        }
        let (Ok(at) | Err(at)) = found;
        if let Some(weighed) = self.targets.get_mut(at) {
            weighed.weight += weight(key);
        }
    }

    pub(in crate::catalogue) fn remove(&mut self, key: &str, target: &BindingTarget) {
        let Ok(at) = self.find(target) else {
            return;
        };
        if let Some(weighed) = self.targets.get_mut(at) {
            weighed.weight -= weight(key);
        }
        self.targets.retain(|one| one.weight > 0);
    }

    /// The target of a message; `None` if there are no bindings.
    pub(in crate::catalogue) fn matching(
        &self,
        keys: &[&str],
        headers: &dyn Headers,
    ) -> Option<&BindingTarget> {
        let hash = murmur2(&self.octets(keys, headers));
        let distances = self.targets.iter().map(|one| (one.distance(hash), one));
        let nearest = distances.min_by(|(a, _), (b, _)| a.total_cmp(b));
        nearest.map(|(_, one)| &one.target)
    }

    fn octets(&self, keys: &[&str], headers: &dyn Headers) -> Box<[u8]> {
        let octets = match &self.hashed {
            Hashed::Key => keys.first().map(|key| key.as_bytes().into()),
            Hashed::Header(name) => headers.header(name).map(octets_of),
            Hashed::Property(name) => headers.property(name),
        };
        octets.unwrap_or_default()
    }

    fn find(&self, target: &BindingTarget) -> Result<usize, usize> {
        self.targets.binary_search_by(|one| one.target.cmp(target))
    }
}

impl Weighed {
    /// The smaller, the more likely with a larger weight: exponentially distributed over hashes.
    fn distance(&self, hash: u32) -> f64 {
        // 53 bits are what a float can hold; 0 isn't among them, since it has no logarithm.
        const BITS: u32 = 53;
        let mixed = mix(u64::from(hash) ^ self.seed);
        let uniform = ((mixed >> (u64::BITS - BITS)) + 1) as f64 / (1_u64 << BITS) as f64;
        -uniform.ln() / self.weight as f64
    }
}

/// Fronts refuse keys that aren't positive integers; larger ones than fit are alike.
fn weight(key: &str) -> u128 {
    key.parse::<u64>().unwrap_or(u64::MAX).max(1).into()
}

fn seed(target: &BindingTarget) -> u64 {
    match target {
        BindingTarget::Log(log) => mix(log.0),
        // Log ids are small, so that these never equal them.
        BindingTarget::Exchange(name) => mix(u64::MAX - u64::from(murmur2(name.as_bytes()))),
    }
}

/// The finalizer of splitmix64: each input bit changes half of the output bits.
fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// A header's value as octets: text as it is, and equal numbers alike.
fn octets_of(value: Argument) -> Box<[u8]> {
    match value {
        Argument::Text(octets) | Argument::Nested(octets) => octets,
        Argument::Integer(number) => number.to_string().into_bytes().into(),
        other => format!("{other:?}").into_bytes().into(),
    }
}

#[cfg(test)]
mod tests;
