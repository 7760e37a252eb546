//! The topic exchange: binding keys are patterns of words separated by dots, with `*` for one word
//! and `#` for any number of words, including none.
//!
//! Patterns with a common prefix share a path in a tree:
//!
//! ```text
//!  a.*.c   a.#.b   a.#        root ── a ─┬─ * ── c●
//!                                        └─ #● ── b●        ● targets end here
//! ```
//!
//! A key is read word by word, keeping the set of nodes reached so far. A `#` node is reached
//! together with its parent, and stays reached. Since each node has one parent, and a `#` node is
//! added once, each word visits a node at most once. So the time is linear in words times nodes
//! reached, whatever the patterns are. Trying each length for a `#` would be exponential in their
//! number.
//!
//! The empty key has no words. A key of only dots has empty words, which `*` matches.

use hashbrown::{HashMap, HashSet};
use smallvec::SmallVec;
use stele_base_types::Name;

use super::direct::Targets;
use crate::BindingTarget;

/// Targets by pattern.
#[derive(Clone, Debug, Default)]
pub(in crate::catalogue) struct TopicIndex {
    root: Node,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// The targets of the pattern that ends here.
    targets: Targets,
    words: HashMap<Box<str>, Self>,
    any_word: Option<Box<Self>>,
    any_words: Option<Box<Self>>,
}

const ANY_WORD: &str = "*";
const ANY_WORDS: &str = "#";

impl TopicIndex {
    pub(in crate::catalogue) fn insert(&mut self, pattern: &Name, target: &BindingTarget) {
        let mut node = &mut self.root;
        for word in pattern_words(pattern) {
            node = node.child_or_new(word);
        }
        node.targets.insert(target);
    }

    pub(in crate::catalogue) fn remove(&mut self, pattern: &str, target: &BindingTarget) {
        let words: SmallVec<[&str; 16]> = pattern_words(pattern).collect();
        self.root.remove(&words, target);
    }

    /// Calls `found` with each target of each pattern that `key` matches.
    pub(in crate::catalogue) fn matching<'a>(
        &'a self,
        key: &str,
        mut found: impl FnMut(&'a BindingTarget),
    ) {
        let mut reached = Reached::default();
        reached.add(&self.root);
        for word in words(key) {
            reached.read(word);
        }
        for node in reached.nodes.iter().chain(&reached.any_words) {
            node.targets.as_slice().iter().for_each(&mut found);
        }
    }
}

/// The nodes reached by the words read so far.
#[derive(Default)]
struct Reached<'a> {
    /// All but the `#` nodes.
    nodes: SmallVec<[&'a Node; 16]>,
    /// The `#` nodes, which stay reached.
    any_words: SmallVec<[&'a Node; 8]>,
    /// The addresses of these.
    taken_up: HashSet<usize>,
}

impl<'a> Reached<'a> {
    fn add(&mut self, node: &'a Node) {
        self.nodes.push(node);
        if let Some(child) = node.any_words.as_deref()
            && self.taken_up.insert(std::ptr::from_ref(child).addr())
        {
            self.any_words.push(child);
        }
    }

    fn read(&mut self, word: &str) {
        let before = std::mem::take(&mut self.nodes);
        // Nodes reached by this word start with the next one, so only earlier ones are visited.
        let staying = self.any_words.len();
        for node in before {
            self.step(node, word);
        }
        for at in 0..staying {
            self.step(self.any_words[at], word);
        }
    }

    fn step(&mut self, node: &'a Node, word: &str) {
        if let Some(child) = node.words.get(word) {
            self.add(child);
        }
        if let Some(child) = node.any_word.as_deref() {
            self.add(child);
        }
    }
}

impl Node {
    fn child_or_new(&mut self, word: &str) -> &mut Self {
        match word {
            ANY_WORD => self.any_word.get_or_insert_default(),
            ANY_WORDS => self.any_words.get_or_insert_default(),
            _ => self.words.entry(word.into()).or_default(),
        }
    }

    /// Removes a target, and the nodes that lead nowhere without it. The recursion is as deep as
    /// the pattern has words: at most 128, since a name has at most 255 bytes.
    fn remove(&mut self, words: &[&str], target: &BindingTarget) {
        let Some((word, rest)) = words.split_first() else {
            self.targets.remove(target);
            return;
        };
        match *word {
            ANY_WORD => remove_below(&mut self.any_word, rest, target),
            ANY_WORDS => remove_below(&mut self.any_words, rest, target),
            word => {
                if let Some(child) = self.words.get_mut(word) {
                    child.remove(rest, target);
                    if child.is_barren() {
                        self.words.remove(word);
                    }
                }
            }
        }
    }

    fn is_barren(&self) -> bool {
        self.targets.is_empty()
            && self.words.is_empty()
            && self.any_word.is_none()
            && self.any_words.is_none()
    }
}

fn remove_below(child: &mut Option<Box<Node>>, words: &[&str], target: &BindingTarget) {
    if let Some(node) = child {
        node.remove(words, target);
        if node.is_barren() {
            *child = None;
        }
    }
}

fn words(key: &str) -> impl Iterator<Item = &str> {
    key.split('.').filter(|_| !key.is_empty())
}

/// The words of a pattern. `#.#` is reduced to the equivalent `#`, so that no `#` node has a `#` as
/// its parent.
fn pattern_words(pattern: &str) -> impl Iterator<Item = &str> {
    let mut last = "";
    words(pattern).filter(move |word| {
        let repeats = *word == ANY_WORDS && last == ANY_WORDS;
        last = word;
        !repeats
    })
}

#[cfg(test)]
mod tests;
