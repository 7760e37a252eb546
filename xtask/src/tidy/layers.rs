//! A crate depends only on layers to its left, and pure crates don't do I/O.
//!
//! ```text
//! base → wire → core → front → app        test beside them, using all
//! toolkit → examples                      beside them, using none of them, used by none of them
//! ```
//!
//! Fronts don't depend on each other; all may use `front/accept`, which isn't a front. `wire` and
//! `core/engine` have no async runtime among their dependencies, direct or indirect. The program
//! `stele` is built without the clients and databases that the toolkit's crates bring along.

use std::{
    collections::{BTreeSet, HashMap},
    path::Path,
};

use anyhow::Context as _;
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

use super::finding::Finding;

const LAYERS: &[&str] = &[
    "base", "wire", "core", "front", "app", "toolkit", "test", EXAMPLES,
];

/// The layer whose crates are in a directory of their own.
const EXAMPLES: &str = "examples";

/// The only crate among the fronts that the others may use: it accepts connections.
const FRONTS_BASE: &str = "front/accept";

/// Crates that do I/O or run tasks.
const RUNTIMES: &[&str] = &[
    "tokio", "mio", "hyper", "axum", "async-io", "smol", "socket2",
];

/// Large libraries of the toolkit, which the broker's build must not get, by whatever way.
const TOOLKIT_ONLY: &[&str] = &[
    "rdkafka",
    "lapin",
    "aws-sdk-sqs",
    "sqlx",
    "opentelemetry_sdk",
];

/// The crate of the program `stele`.
const PROGRAM: &str = "app/cli";

/// Checks the dependencies of every member of the workspace at `root`.
pub(crate) fn check(root: &Path) -> anyhow::Result<Vec<Finding>> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .exec()
        .context("running cargo metadata")?;
    let mut findings = Vec::new();
    for package in metadata.workspace_packages() {
        let Some(from) = Place::of(&metadata, package) else {
            continue;
        };
        let manifest = from.manifest();
        for dependency in &package.dependencies {
            let to = metadata
                .workspace_packages()
                .into_iter()
                .find(|member| member.name.as_str() == dependency.name)
                .and_then(|member| Place::of(&metadata, member));
            let is_test = dependency.kind == DependencyKind::Development;
            if let Some(to) = to
                && let Some(advice) = from.objection(&to, is_test)
            {
                findings.push(Finding::new(&manifest, 1, advice));
            }
        }
        for (banned, advice) in from.banned() {
            for found in found_below(&metadata, package, banned)? {
                let advice = format!("depends on `{found}`: {advice}");
                findings.push(Finding::new(&manifest, 1, advice));
            }
        }
    }
    Ok(findings)
}

/// A member's place in the architecture: `crates/LAYER/NAME` or `examples/NAME`.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    layer: usize,
    name: String,
}

impl Place {
    fn of(metadata: &Metadata, package: &Package) -> Option<Self> {
        let path = package
            .manifest_path
            .strip_prefix(&metadata.workspace_root)
            .ok()?;
        Self::at(path.as_str())
    }

    fn at(manifest: &str) -> Option<Self> {
        let mut parts = manifest.split('/');
        let layer = match parts.next()? {
            "crates" => parts.next()?,
            EXAMPLES => EXAMPLES,
            _ => return None,
        };
        let layer = LAYERS.iter().position(|known| *known == layer)?;
        Some(Self {
            layer,
            name: parts.next()?.to_owned(),
        })
    }

    fn label(&self) -> String {
        format!("{}/{}", LAYERS[self.layer], self.name)
    }

    fn manifest(&self) -> String {
        match LAYERS[self.layer] {
            EXAMPLES => format!("{}/Cargo.toml", self.label()),
            _ => format!("crates/{}/Cargo.toml", self.label()),
        }
    }

    /// What must not be among its dependencies, and what to do instead.
    fn banned(&self) -> Vec<(&'static [&'static str], &'static str)> {
        let label = self.label();
        let mut banned = Vec::new();
        if LAYERS[self.layer] == "wire" || label == "core/engine" {
            banned.push((RUNTIMES, "it does no I/O: take values instead"));
        }
        if label == PROGRAM {
            banned.push((
                TOOLKIT_ONLY,
                "it is for the toolkit alone, and slow to build",
            ));
        }
        banned
    }

    /// The reason why this crate must not depend on `to`, if any.
    fn objection(&self, to: &Self, is_test: bool) -> Option<String> {
        let layer = LAYERS[self.layer];
        let allowed = match LAYERS[to.layer] {
            EXAMPLES => false,
            "test" => layer == "test" || is_test,
            "toolkit" => matches!(layer, "toolkit" | "test" | EXAMPLES),
            _ if matches!(layer, "toolkit" | EXAMPLES) => false,
            "front" if layer == "front" => to.label() == FRONTS_BASE && self.label() != FRONTS_BASE,
            _ => to.layer <= self.layer,
        };
        (!allowed).then(|| {
            format!(
                "{} depends on {}, which is not to its left in {}: pass the value in, or move it",
                self.label(),
                to.label(),
                LAYERS[..5].join(" → ")
            )
        })
    }
}

/// Those of `names` that `package` reaches through dependencies of its build, which aren't for
/// tests.
fn found_below(
    metadata: &Metadata,
    package: &Package,
    names: &[&str],
) -> anyhow::Result<BTreeSet<String>> {
    let graph = metadata
        .resolve
        .as_ref()
        .context("cargo metadata gave no graph")?;
    let nodes: HashMap<&PackageId, _> = graph.nodes.iter().map(|node| (&node.id, node)).collect();
    let mut pending = vec![&package.id];
    let mut seen = BTreeSet::new();
    let mut found = BTreeSet::new();
    while let Some(id) = pending.pop() {
        if !seen.insert(id) {
            continue;
        }
        let name = metadata[id].name.as_str();
        if names.contains(&name) {
            found.insert(name.to_owned());
        }
        let below = nodes.get(id).into_iter().flat_map(|node| &node.deps);
        pending.extend(
            below
                .filter(|dep| {
                    dep.dep_kinds
                        .iter()
                        .any(|kind| kind.kind == DependencyKind::Normal)
                })
                .map(|dep| &dep.pkg),
        );
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(from: &str, to: &str, is_test: bool) -> bool {
        let place = |label: &str| {
            let directory = if label.starts_with(EXAMPLES) {
                ""
            } else {
                "crates/"
            };
            Place::at(&format!("{directory}{label}/Cargo.toml")).expect("a known layer")
        };
        place(from).objection(&place(to), is_test).is_some()
    }

    #[test]
    fn dependencies_point_to_the_left() {
        assert!(!objects("core/engine", "base/types", false));
        assert!(!objects("core/broker", "core/engine", false));
        assert!(objects("wire/kafka", "core/engine", false));
        assert!(objects("core/broker", "front/amqp", false));
    }

    #[test]
    fn fronts_do_not_know_each_other() {
        assert!(objects("front/amqp", "front/kafka", false));
        assert!(!objects("front/amqp", "front/accept", false));
        assert!(objects("front/accept", "front/amqp", false));
    }

    #[test]
    fn the_toolkit_stands_alone() {
        assert!(!objects("toolkit/sql", "toolkit/bus", false));
        assert!(objects("toolkit/bus", "base/types", false));
        assert!(objects("app/server", "toolkit/bus", false));
        assert!(!objects("toolkit/bus", "test/testkit", true));
    }

    #[test]
    fn examples_use_the_toolkit_and_nobody_uses_them() {
        assert!(!objects("examples/orders", "toolkit/bus", false));
        assert!(objects("examples/orders", "base/types", false));
        assert!(objects("toolkit/bus", "examples/orders", true));
        assert!(objects("test/sim", "examples/orders", false));
    }

    #[test]
    fn the_program_has_none_of_the_toolkits_clients() {
        let banned = |label: &str| {
            let place = Place::at(&format!("crates/{label}/Cargo.toml")).expect("a known layer");
            place.banned().into_iter().flat_map(|(names, _)| names)
        };
        assert!(banned("app/cli").any(|name| *name == "rdkafka"));
        assert!(banned("toolkit/kafka").all(|name| *name != "rdkafka"));
        assert!(banned("core/engine").any(|name| *name == "tokio"));
    }

    #[test]
    fn only_tests_use_the_test_layer() {
        assert!(objects("front/amqp", "test/testkit", false));
        assert!(!objects("front/amqp", "test/testkit", true));
        assert!(!objects("test/sim", "core/broker", false));
    }
}
