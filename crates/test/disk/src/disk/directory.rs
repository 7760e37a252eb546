//! Directories: the current entries, and those that are certain after a power failure.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use stele_base_env::Entry;

use super::{Loss, content::Content};
use crate::random::Random;

/// What is at a path.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Dir,
    File(Arc<Mutex<Content>>),
}

/// A change of a directory's entries.
#[derive(Clone, Debug)]
enum Change {
    Insert(PathBuf, Node),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf, Node),
}

type Nodes = BTreeMap<PathBuf, Node>;

/// All directories. Roots always exist: a path whose parent is `/` can always be created.
#[derive(Debug, Default)]
pub(super) struct Directories {
    nodes: Nodes,
    /// As of the last sync of each directory.
    synced: Nodes,
    /// Changes since then, with the directory of each.
    unsynced: Vec<(PathBuf, Change)>,
}

impl Directories {
    pub(super) fn node(&self, path: &Path) -> io::Result<Node> {
        if path == Path::new("/") {
            return Ok(Node::Dir);
        }
        let node = self.nodes.get(path).cloned();
        node.ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    pub(super) fn insert(&mut self, path: &Path, node: Node) -> io::Result<()> {
        self.node(parent(path))?;
        self.change(path, Change::Insert(path.to_owned(), node));
        Ok(())
    }

    pub(super) fn remove(&mut self, path: &Path) -> io::Result<Node> {
        let node = self.node(path)?;
        self.change(path, Change::Remove(path.to_owned()));
        Ok(node)
    }

    pub(super) fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let node = self.node(from)?;
        self.change(to, Change::Rename(from.to_owned(), to.to_owned(), node));
        Ok(())
    }

    pub(super) fn list(&self, path: &Path) -> io::Result<Vec<Entry>> {
        self.node(path)?;
        let below = self.nodes.iter().filter(|(at, _)| parent(at) == path);
        let entries = below.map(|(at, node)| Entry {
            name: at
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            is_dir: matches!(node, Node::Dir),
        });
        Ok(entries.collect())
    }

    pub(super) fn sync(&mut self, path: &Path) -> io::Result<()> {
        self.node(path)?;
        let synced = &mut self.synced;
        self.unsynced.retain(|(directory, change)| {
            let is_here = directory == path;
            if is_here {
                change.apply(synced);
            }
            !is_here
        });
        Ok(())
    }

    pub(super) fn used_bytes(&self) -> u64 {
        let sizes = self.nodes.values().map(|node| match node {
            Node::Dir => 0,
            Node::File(content) => content.lock().size_bytes(),
        });
        sizes.sum()
    }

    pub(super) fn sync_all(&mut self) {
        self.synced = self.nodes.clone();
        self.unsynced.clear();
        for node in self.nodes.values() {
            if let Node::File(content) = node {
                content.lock().sync();
            }
        }
    }

    /// A sync of everything that fails: see [`Content::fail_sync`]. Makes no entry durable.
    pub(super) fn fail_sync_all(&self, loss: Loss) {
        for node in self.nodes.values() {
            if let Node::File(content) = node {
                content.lock().fail_sync(loss);
            }
        }
    }

    /// Each change since its directory's last sync is kept or lost; then each file's content.
    pub(super) fn after_power_cut(&self, random: &mut Random) -> Self {
        let mut nodes = self.synced.clone();
        let keeps_all = random.once_in(3);
        for (_, change) in &self.unsynced {
            if keeps_all || random.once_in(2) {
                change.apply(&mut nodes);
            }
        }
        drop_orphans(&mut nodes);
        Self::safe(nodes, |content| content.after_power_cut(random))
    }

    /// The state without unsynced changes.
    pub(super) fn synced(&self) -> Self {
        let mut nodes = self.synced.clone();
        drop_orphans(&mut nodes);
        Self::safe(nodes, Content::synced)
    }

    /// The same entries and bytes, all of them durable.
    pub(super) fn copy(&self) -> Self {
        Self::safe(self.nodes.clone(), Content::copy)
    }

    /// These entries, with each file's content given by `of`, all of it durable.
    fn safe(mut nodes: Nodes, mut of: impl FnMut(&Content) -> Content) -> Self {
        for node in nodes.values_mut() {
            if let Node::File(content) = node {
                let kept = of(&content.lock());
                *content = Arc::new(Mutex::new(kept));
            }
        }
        Self {
            synced: nodes.clone(),
            nodes,
            unsynced: Vec::new(),
        }
    }

    pub(super) fn keep_files(&mut self, keep: impl Fn(&Path) -> bool) {
        self.nodes
            .retain(|path, node| matches!(node, Node::Dir) || keep(path));
        self.synced = self.nodes.clone();
    }

    pub(super) fn put_file(&mut self, path: &Path, content: Content) {
        let node = Node::File(Arc::new(Mutex::new(content)));
        self.nodes.entry(path.to_owned()).or_insert(node);
        self.synced = self.nodes.clone();
    }

    pub(super) fn files(&self) -> Vec<PathBuf> {
        let nodes = self.nodes.iter();
        let files = nodes.filter(|(_, node)| matches!(node, Node::File(_)));
        files.map(|(at, _)| at.clone()).collect()
    }

    fn change(&mut self, path: &Path, change: Change) {
        change.apply(&mut self.nodes);
        self.unsynced.push((parent(path).to_owned(), change));
    }
}

impl Change {
    fn apply(&self, nodes: &mut Nodes) {
        match self {
            Self::Insert(path, node) => {
                nodes.insert(path.clone(), node.clone());
            }
            Self::Remove(path) => {
                nodes.remove(path);
            }
            Self::Rename(from, to, node) => {
                nodes.remove(from);
                nodes.insert(to.clone(), node.clone());
            }
        }
    }
}

/// The contents of a lost directory are lost with it.
fn drop_orphans(nodes: &mut Nodes) {
    loop {
        let has_home = |path: &Path| {
            let home = parent(path);
            home == Path::new("/") || nodes.contains_key(home)
        };
        let paths = nodes.keys().filter(|path| !has_home(path));
        let orphans: Vec<PathBuf> = paths.cloned().collect();
        if orphans.is_empty() {
            return;
        }
        for orphan in orphans {
            nodes.remove(&orphan);
        }
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}
