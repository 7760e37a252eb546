//! What `#[message(…)]` says.

use proc_macro2::Span;
use syn::{
    Attribute, Error, LitStr, Member, Path, Result, Token, meta::ParseNestedMeta, parse::Parse,
    punctuated::Punctuated,
};

/// All attributes of a type, put together.
#[derive(Default)]
pub(crate) struct Attributes {
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<Version>,
    pub(crate) topic: Option<LitStr>,
    /// A field, or a field of a field.
    pub(crate) key: Option<Punctuated<Member, Token![.]>>,
    pub(crate) aliases: Vec<LitStr>,
    /// Ordered by version.
    pub(crate) upcasts: Vec<Upcast>,
    pub(crate) library: Option<Path>,
}

/// A version, and where it is written.
#[derive(Clone)]
pub(crate) struct Version {
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) span: Span,
}

/// `upcast(from = "1.0", with = function)`.
pub(crate) struct Upcast {
    pub(crate) from: Version,
    pub(crate) with: Path,
}

impl Attributes {
    /// Reads those of a type, and checks what can be checked without the type.
    pub(crate) fn of(attributes: &[Attribute]) -> Result<Self> {
        let mut all = Self::default();
        for attribute in attributes.iter().filter(|it| it.path().is_ident("message")) {
            attribute.parse_nested_meta(|meta| all.read(&meta))?;
        }
        all.upcasts.sort_by_key(|upcast| upcast.from.number());
        all.check_upcasts()?;
        Ok(all)
    }

    fn read(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("type") {
            once(&mut self.name, meta, not_empty)
        } else if meta.path.is_ident("version") {
            once(&mut self.version, meta, version)
        } else if meta.path.is_ident("topic") {
            once(&mut self.topic, meta, not_empty)
        } else if meta.path.is_ident("key") {
            once(&mut self.key, meta, |meta| {
                Punctuated::parse_separated_nonempty(meta.value()?)
            })
        } else if meta.path.is_ident("alias") {
            let alias = not_empty(meta)?;
            if self
                .aliases
                .iter()
                .any(|known| known.value() == alias.value())
            {
                return Err(Error::new_spanned(alias, "this alias is given twice"));
            }
            self.aliases.push(alias);
            Ok(())
        } else if meta.path.is_ident("upcast") {
            let upcast = upcast(meta)?;
            self.upcasts.push(upcast);
            Ok(())
        } else if meta.path.is_ident("crate") {
            once(&mut self.library, meta, value)
        } else {
            Err(meta.error(
                "unknown attribute: `message` has `type`, `version`, `topic`, `key`, `alias`, \
                 `upcast` and `crate`",
            ))
        }
    }

    fn check_upcasts(&self) -> Result<()> {
        for pair in self.upcasts.windows(2) {
            if pair[0].from.number() == pair[1].from.number() {
                let message = "there are two upcasts from this version";
                return Err(Error::new(pair[1].from.span, message));
            }
        }
        match (self.upcasts.last(), &self.version) {
            (Some(last), Some(version)) if last.from.number() >= version.number() => {
                let message = "an upcast leads from an older version than the type's";
                Err(Error::new(last.from.span, message))
            }
            _ => Ok(()),
        }
    }
}

impl Version {
    fn number(&self) -> (u32, u32) {
        (self.major, self.minor)
    }
}

/// Reads what may be given once.
fn once<T>(
    slot: &mut Option<T>,
    meta: &ParseNestedMeta<'_>,
    read: impl FnOnce(&ParseNestedMeta<'_>) -> Result<T>,
) -> Result<()> {
    if slot.is_some() {
        let name = meta.path.require_ident()?;
        return Err(meta.error(format!("`{name}` is given twice")));
    }
    *slot = Some(read(meta)?);
    Ok(())
}

fn value<T: Parse>(meta: &ParseNestedMeta<'_>) -> Result<T> {
    meta.value()?.parse()
}

fn not_empty(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    let literal: LitStr = value(meta)?;
    if literal.value().is_empty() {
        return Err(Error::new_spanned(literal, "this is empty"));
    }
    Ok(literal)
}

fn version(meta: &ParseNestedMeta<'_>) -> Result<Version> {
    let literal: LitStr = value(meta)?;
    let text = literal.value();
    let numbers = text
        .split_once('.')
        .and_then(|(major, minor)| Some((number(major)?, number(minor)?)));
    let Some((major, minor)) = numbers else {
        let message = "a version is \"major.minor\", for example \"1.0\"";
        return Err(Error::new_spanned(literal, message));
    };
    Ok(Version {
        major,
        minor,
        span: literal.span(),
    })
}

fn number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

fn upcast(meta: &ParseNestedMeta<'_>) -> Result<Upcast> {
    let (mut from, mut with) = (None, None);
    meta.parse_nested_meta(|part| {
        if part.path.is_ident("from") {
            once(&mut from, &part, version)
        } else if part.path.is_ident("with") {
            once(&mut with, &part, value)
        } else {
            Err(part.error("unknown attribute: `upcast` has `from` and `with`"))
        }
    })?;
    match (from, with) {
        (Some(from), Some(with)) => Ok(Upcast { from, with }),
        (None, _) => Err(meta.error("`from` is missing: upcast(from = \"1.0\", with = function)")),
        (_, None) => Err(meta.error("`with` is missing: upcast(from = \"1.0\", with = function)")),
    }
}
