//! JSON schemas of message types, kept in files, one for each version.
//!
//! A program's tests call [`check_schemas`]. It compares the schema of each type with the file of
//! its version, `schemas/OrderCreated/1.1.json`, so that no type changes without a new version; and
//! with the files of the older minor versions, so that the new one reads the documents of the old.

mod compare;
mod files;
mod keywords;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

pub use files::{SchemaError, SchemaProblem, check_schemas};

use crate::{Message, Upcast, Version};

/// The JSON schema of what a type reads (draft 2020-12).
pub fn schema_of<T: JsonSchema>() -> Value {
    let generator = SchemaSettings::draft2020_12().into_generator();
    generator.into_root_schema_for::<T>().to_value()
}

/// A message type with its schema.
#[derive(Clone, Debug)]
pub struct TypeSchema {
    /// The type's name.
    pub message_type: &'static str,
    /// Its version.
    pub version: Version,
    /// How it reads older versions.
    pub upcasts: &'static [Upcast],
    /// Its schema.
    pub schema: Value,
}

impl TypeSchema {
    /// The schema of a message type.
    pub fn of<M: Message + JsonSchema>() -> Self {
        Self {
            message_type: M::TYPE,
            version: M::VERSION,
            upcasts: M::UPCASTS,
            schema: schema_of::<M>(),
        }
    }
}
