//! The files that hold the schemas of all versions.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{TypeSchema, compare::narrowings, keywords::ANNOTATIONS};
use crate::{Version, upcast};

/// The variable that has [`check_schemas`] write files instead of missing them.
const UPDATE: &str = "UPDATE_SCHEMAS";

/// Schemas and their files don't fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SchemaError {
    /// Everything that was found.
    pub problems: Vec<SchemaProblem>,
}

impl fmt::Display for SchemaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} problems with message schemas", self.problems.len())?;
        self.problems
            .iter()
            .try_for_each(|it| write!(f, "\n  {it}"))
    }
}

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaProblem {
    /// The type and its version in the program.
    pub subject: String,
    /// The field, as in `items[].price`; empty for the whole type.
    pub path: String,
    /// What is wrong, and what to do.
    pub reason: String,
}

impl fmt::Display for SchemaProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subject,
            path,
            reason,
        } = self;
        match path.as_str() {
            "" => write!(f, "{subject}: {reason}"),
            path => write!(f, "{subject}, `{path}`: {reason}"),
        }
    }
}

/// Checks the schemas of message types against the files in `dir`, for a program's tests:
///
/// ```no_run
/// # use schemars::JsonSchema;
/// # use serde::{Deserialize, Serialize};
/// # use stele_toolkit_envelope::{Message, TypeSchema, check_schemas};
/// # #[derive(Serialize, Deserialize, JsonSchema, Message)]
/// # #[message(version = "1.0", topic = "order.created")]
/// # struct OrderCreated {}
/// # #[derive(Serialize, Deserialize, JsonSchema, Message)]
/// # #[message(version = "1.0", topic = "order.updated")]
/// # struct OrderConfirmed {}
/// let types = [TypeSchema::of::<OrderCreated>(), TypeSchema::of::<OrderConfirmed>()];
/// let schemas = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas");
/// check_schemas(schemas.as_ref(), &types)?;
/// # Ok::<(), stele_toolkit_envelope::SchemaError>(())
/// ```
///
/// It fails if
///
/// - the file of a type's version, `schemas/OrderCreated/1.1.json`, is missing;
/// - it has another schema: the type has changed and needs a new version. Titles, descriptions and
///   the like may differ;
/// - a document of an older minor version wouldn't be read: a field is new and required, a type or
///   a range is narrower, a value of an enumeration is gone. This isn't looked at where an upcast
///   leads from the older version. A field that is gone is a problem too, since older programs,
///   which read newer minor versions as they are, may require it.
///
/// What it doesn't find: a wider type or a new value of an enumeration, which older programs can't
/// read either. Deploy the readers first then, or take a new major version.
///
/// With `UPDATE_SCHEMAS=1` in the environment it writes the files that are missing, and those in
/// which only titles and descriptions differ. It never writes over another schema: if a version was
/// never used, delete its file first.
pub fn check_schemas(dir: &Path, types: &[TypeSchema]) -> Result<(), SchemaError> {
    check(
        dir,
        types,
        std::env::var_os(UPDATE).is_some_and(|it| it == "1"),
    )
}

fn check(dir: &Path, types: &[TypeSchema], update: bool) -> Result<(), SchemaError> {
    let mut problems = Vec::new();
    for checked in types {
        let mut check = Check {
            checked,
            dir: dir.join(checked.message_type),
            problems: Vec::new(),
        };
        if check.has_plain_name() {
            check.older_versions();
            check.own_version(update && check.problems.is_empty());
        }
        problems.append(&mut check.problems);
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(SchemaError { problems })
    }
}

/// The check of one type.
struct Check<'a> {
    checked: &'a TypeSchema,
    dir: PathBuf,
    problems: Vec<SchemaProblem>,
}

impl Check<'_> {
    fn report(&mut self, path: &str, reason: impl Into<String>) {
        self.problems.push(SchemaProblem {
            subject: format!("{} {}", self.checked.message_type, self.checked.version),
            path: path.to_owned(),
            reason: reason.into(),
        });
    }

    /// Whether the type's name can be that of a directory.
    fn has_plain_name(&mut self) -> bool {
        let name = self.checked.message_type;
        let is_plain = !name.starts_with('.') && !name.contains(['/', '\\', ':', '\0']);
        if !is_plain {
            self.report("", "the type's name can't be that of a directory");
        }
        is_plain
    }

    fn path(&self, version: Version) -> PathBuf {
        self.dir.join(format!("{version}.json"))
    }

    /// Compares the type with the file of its version, or writes the file.
    fn own_version(&mut self, update: bool) {
        let path = self.path(self.checked.version);
        let schema = &self.checked.schema;
        let Some(stored) = self.stored(&path) else {
            if update {
                self.write(&path);
            } else if self.problems.is_empty() {
                self.report(
                    "",
                    format!("{} is missing: run with {UPDATE}=1", path.display()),
                );
            }
            return;
        };
        if essence(&stored) == essence(schema) {
            if update && stored != *schema {
                self.write(&path);
            }
            return;
        }
        let changes: Vec<String> = narrowings(&stored, schema)
            .into_iter()
            .chain(narrowings(schema, &stored))
            .map(|it| it.path)
            .filter(|path| !path.is_empty())
            .collect();
        let places = match changes.as_slice() {
            [] => String::new(),
            paths => format!(" at `{}`", paths.join("`, `")),
        };
        let path = path.display();
        self.report(
            "",
            format!("the type differs from {path}{places}: give it a new version"),
        );
    }

    /// Compares the type with the files of the older minor versions whose documents it reads
    /// without an upcast.
    fn older_versions(&mut self) {
        let current = self.checked.version;
        for version in self.versions() {
            let is_older = version.major == current.major && version.minor < current.minor;
            let steps = self.checked.upcasts;
            let is_direct = upcast::first(steps, version, current) == Ok(steps.len());
            let path = self.path(version);
            if !is_older || !is_direct {
                continue;
            }
            let Some(old) = self.stored(&path) else {
                continue;
            };
            for found in narrowings(&old, &self.checked.schema) {
                let reason = format!("{} (compared with version {version})", found.reason);
                self.report(&found.path, reason);
            }
        }
    }

    /// The versions of which there are files, in order.
    #[expect(
        clippy::disallowed_methods,
        reason = "the files belong to the sources, for tests"
    )]
    fn versions(&self) -> Vec<Version> {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let mut versions: Vec<Version> = entries
            .filter_map(|entry| {
                let name = entry.file_name();
                name.to_str()?.strip_suffix(".json")?.parse().ok()
            })
            .collect();
        versions.sort_unstable();
        versions
    }

    /// A stored schema; `None` if the file isn't there or isn't JSON, which is reported.
    #[expect(
        clippy::disallowed_methods,
        reason = "the files belong to the sources, for tests"
    )]
    fn stored(&mut self, path: &Path) -> Option<Value> {
        let text = match std::fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => {
                self.report("", format!("{}: {error}", path.display()));
                return None;
            }
        };
        match serde_json::from_slice(&text) {
            Ok(schema) => Some(schema),
            Err(error) => {
                self.report("", format!("{} isn't JSON: {error}", path.display()));
                None
            }
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the files belong to the sources, for tests"
    )]
    fn write(&mut self, path: &Path) {
        let text = format!("{:#}\n", self.checked.schema);
        let dir = std::fs::create_dir_all(&self.dir);
        if let Err(error) = dir.and_then(|()| std::fs::write(path, text)) {
            self.report("", format!("{}: {error}", path.display()));
        }
    }
}

/// A schema without what says nothing about documents. Defaults stay: they decide what a document
/// without the field means.
fn essence(schema: &Value) -> Value {
    let Value::Object(keywords) = schema else {
        return schema.clone();
    };
    let is_annotation = |name: &str| ANNOTATIONS.contains(&name) && name != "default";
    let kept = keywords.iter().filter(|(name, _)| !is_annotation(name));
    kept.map(|(name, value)| (name.clone(), essence_of(name, value)))
        .collect()
}

fn essence_of(keyword: &str, value: &Value) -> Value {
    match (keyword, value) {
        ("properties" | "patternProperties" | "$defs" | "dependentSchemas", Value::Object(all)) => {
            all.iter()
                .map(|(name, schema)| (name.clone(), essence(schema)))
                .collect()
        }
        ("allOf" | "anyOf" | "oneOf" | "prefixItems", Value::Array(all)) => {
            all.iter().map(essence).collect()
        }
        ("enum" | "const" | "default" | "required" | "type", value) => value.clone(),
        (_, value) => essence(value),
    }
}

#[cfg(test)]
mod tests;
