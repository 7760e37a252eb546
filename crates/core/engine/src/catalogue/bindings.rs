//! The bindings of one exchange, and the index it routes by, depending on its kind.

use std::collections::BTreeMap;

use smallvec::{SmallVec, smallvec};
use stele_base_types::{Name, murmur2};

use super::{
    Binding, Exchange, Headers,
    route::{
        chosen::ChosenIndex, consistent_hash::ConsistentHashIndex, direct::DirectIndex, headers,
        topic::TopicIndex,
    },
};
use crate::{Arguments, BindingTarget, ExchangeKind};

/// Bindings by target and key. Those with the same target and key differ in their arguments.
type ByTarget = BTreeMap<BindingTarget, BTreeMap<Name, SmallVec<[Binding; 1]>>>;

/// An exchange's bindings.
#[derive(Clone, Debug)]
pub(super) struct BindingTable {
    by_target: ByTarget,
    index: Index,
    /// What they take in memory.
    bytes: usize,
}

/// The index for routing. Built from the bindings, never stored.
#[derive(Clone, Debug)]
enum Index {
    Direct(DirectIndex),
    Topic(TopicIndex),
    /// The targets themselves are the index.
    Fanout,
    /// Every binding is tried.
    Headers,
    ConsistentHash(ConsistentHashIndex),
    /// A hash of the key chooses.
    Modulus(ChosenIndex),
    /// A random number chooses.
    Random(ChosenIndex),
}

impl BindingTable {
    pub(super) fn new(exchange: &Exchange) -> Self {
        let index = match exchange.routes_as() {
            // A kind that delays names another one.
            ExchangeKind::Direct | ExchangeKind::Delayed => Index::Direct(DirectIndex::default()),
            ExchangeKind::Topic => Index::Topic(TopicIndex::default()),
            ExchangeKind::Fanout => Index::Fanout,
            ExchangeKind::Headers => Index::Headers,
            ExchangeKind::ConsistentHash => {
                Index::ConsistentHash(ConsistentHashIndex::new(&exchange.arguments))
            }
            ExchangeKind::ModulusHash => Index::Modulus(ChosenIndex::default()),
            ExchangeKind::Random | ExchangeKind::LocalRandom => {
                Index::Random(ChosenIndex::default())
            }
        };
        Self {
            by_target: ByTarget::new(),
            index,
            bytes: 0,
        }
    }

    /// Adds a binding unless there is an equal one; returns whether it was added.
    pub(super) fn insert(&mut self, binding: Binding) -> bool {
        let bytes = binding.bytes();
        let keys = self.by_target.entry(binding.target.clone()).or_default();
        match keys.get_mut(binding.key.as_str()) {
            Some(bindings) if bindings.contains(&binding) => return false,
            Some(bindings) => bindings.push(binding),
            None => {
                self.index.insert(&binding.key, &binding.target);
                keys.insert(binding.key.clone(), smallvec![binding]);
            }
        }
        self.bytes += bytes;
        true
    }

    /// Removes a binding; returns whether there was one.
    pub(super) fn remove(
        &mut self,
        target: &BindingTarget,
        key: &str,
        arguments: &Arguments,
    ) -> bool {
        let Some(keys) = self.by_target.get_mut(target) else {
            return false;
        };
        let Some(bindings) = keys.get_mut(key) else {
            return false;
        };
        let Some(at) = bindings.iter().position(|one| one.arguments == *arguments) else {
            return false;
        };
        self.bytes -= bindings.remove(at).bytes();
        if bindings.is_empty() {
            self.index.remove(key, target);
            keys.remove(key);
        }
        if keys.is_empty() {
            self.by_target.remove(target);
        }
        true
    }

    /// Removes all bindings to a target; returns how many there were.
    pub(super) fn remove_target(&mut self, target: &BindingTarget) -> u64 {
        let mut removed = 0;
        for (key, bindings) in self.by_target.remove(target).unwrap_or_default() {
            self.index.remove(&key, target);
            removed += bindings.len() as u64;
            self.bytes -= bindings.iter().map(Binding::bytes).sum::<usize>();
        }
        removed
    }

    /// What they take in memory.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_target.is_empty()
    }

    pub(super) fn leads_to(&self, target: &BindingTarget) -> bool {
        self.by_target.contains_key(target)
    }

    pub(super) fn contains(
        &self,
        target: &BindingTarget,
        key: &str,
        arguments: &Arguments,
    ) -> bool {
        let bindings = self.by_target.get(target).and_then(|keys| keys.get(key));
        bindings.is_some_and(|bindings| bindings.iter().any(|one| one.arguments == *arguments))
    }

    /// Each target once.
    pub(super) fn targets(&self) -> impl Iterator<Item = &BindingTarget> {
        self.by_target.keys()
    }

    /// The bindings to a target, by key.
    pub(super) fn to(&self, target: &BindingTarget) -> impl Iterator<Item = &Binding> {
        let keys = self.by_target.get(target).into_iter();
        keys.flat_map(BTreeMap::values).flatten()
    }

    /// The bindings to other exchanges.
    pub(super) fn to_exchanges(&self) -> impl Iterator<Item = &Binding> {
        let is_exchange = |binding: &&Binding| matches!(binding.target, BindingTarget::Exchange(_));
        self.iter().filter(is_exchange)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Binding> {
        self.by_target.values().flat_map(BTreeMap::values).flatten()
    }

    /// Calls `found` with each target of a message with these keys, possibly more than once.
    pub(super) fn route<'a>(
        &'a self,
        keys: &[&str],
        headers: &dyn Headers,
        mut found: impl FnMut(&'a BindingTarget),
    ) {
        match &self.index {
            Index::Direct(index) => {
                for key in keys {
                    index.matching(key).iter().for_each(&mut found);
                }
            }
            Index::Topic(index) => {
                for key in keys {
                    index.matching(key, &mut found);
                }
            }
            Index::Fanout => self.targets().for_each(found),
            Index::Headers => {
                for binding in self.iter() {
                    if headers::matches(&binding.arguments, headers) {
                        found(&binding.target);
                    }
                }
            }
            Index::ConsistentHash(index) => {
                index.matching(keys, headers).into_iter().for_each(found);
            }
            Index::Modulus(index) => {
                let key = keys.first().map_or(&[][..], |key| key.as_bytes());
                index.at(murmur2(key).into()).into_iter().for_each(found);
            }
            Index::Random(index) => index.at(headers.random()).into_iter().for_each(found),
        }
    }
}

/// The index is derived from the bindings, whatever their order.
impl PartialEq for BindingTable {
    fn eq(&self, other: &Self) -> bool {
        self.by_target == other.by_target
    }
}

impl Index {
    fn insert(&mut self, key: &Name, target: &BindingTarget) {
        match self {
            Self::Direct(index) => index.insert(key, target),
            Self::Topic(index) => index.insert(key, target),
            Self::ConsistentHash(index) => index.insert(key, target),
            Self::Modulus(index) | Self::Random(index) => index.insert(target),
            Self::Fanout | Self::Headers => {}
        }
    }

    fn remove(&mut self, key: &str, target: &BindingTarget) {
        match self {
            Self::Direct(index) => index.remove(key, target),
            Self::Topic(index) => index.remove(key, target),
            Self::ConsistentHash(index) => index.remove(key, target),
            Self::Modulus(index) | Self::Random(index) => index.remove(target),
            Self::Fanout | Self::Headers => {}
        }
    }
}
